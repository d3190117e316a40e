"""The truth of conditions: values are bound, never pasted in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.expressions.conftest import KNOWN, make_scope
from workflows.expressions import (
    ExpressionError,
    MissingError,
    RenderError,
    TemplateError,
    condition_places,
    parse_condition,
    references,
    render,
    truth,
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("false", False),
        ("{{ true }}", True),
        ("{{action-1.status}} == 200", True),
        ("{{action-1.status}}==200", True),
        ("{{action-1.status}} == 201", False),
        ("{{action-1.status}} == '200'", False),
        ('"{{action-1.status}}" == "200"', True),
        ("'{{action-1.status}}' == '200'", True),
        ("'code {{action-1.status}}!' == 'code 200!'", True),
        ("'{{action-1.status}}{{notify.status}}' == '200201'", True),
        ("'it\\'s {{action-1.status}}' == 'it\\'s 200'", True),
        ("'a' == \"a\" and '{{ trigger.id }}' == 'evt_1'", True),
        ("200 == {{action-1.status}}", True),
        ("{{action-1.status}} in [200, 201]", True),
        ("{{action-1.status}} >= 200 and {{action-1.status}} < 300", True),
        ("not {{action-1.status}}", False),
        ("not ({{ action-1.status }} == 404)", True),
        ("({{action-1.status}} == 404) or {{notify.status}} == 201", True),
        ("{{ action-1.status == 200 and not trigger.payload.order.note }}", True),
        ("{{ action-1.status == 200 }} and {{ notify.status == 200 }}", False),
        ("{{ trigger.payload.order }}.id == 7", True),
        ("{{ trigger.payload.order.items }}[0] == 'pen'", True),
        ("{{ trigger.payload.user.name }} | lower == 'ada'", True),
        ("{{ trigger.nowhere }} is defined", False),
        ("{{ trigger.nowhere | default(0) }} == 0", True),
        ("action-1.status == 200", True),
        ("steps.action-1.status != 200", False),
        ("trigger.payload.paid", True),
        ("{{ trigger.payload.paid }}", True),
        ("  {{ trigger.payload.paid }}  ", True),
        ("{{ trigger.payload.order.note }}", False),
        ("{{ variables.empty }}", False),
        ("{{ variables.region }}", True),
        ("{{ 'false' }}", True),
        ("{{ '0' }}", True),
        ("{{ 0 }}", False),
        ("{{ 0.0 }}", False),
        ("{{ [] }}", False),
        ("{{ {} }}", False),
        ("{{ [0] }}", True),
        ("{# why #}{{ true }}", True),
    ],
)
def test_truth(condition: Any, expected: bool, scope: dict[str, Any]) -> None:
    assert truth(condition, scope, known_names=KNOWN) is expected


@pytest.mark.parametrize(
    "value",
    [
        "x' or true or '",
        '" or true or "',
        "0 == 0 }} or {{ true",
        "(true)",
        "true",
        "200 or 1 == 1",
        "{{ true }}",
    ],
)
@pytest.mark.parametrize(
    "condition",
    [
        "{{ trigger.payload }} == 'safe'",
        "'{{ trigger.payload }}' == 'safe'",
        '"{{ trigger.payload }}" == "safe"',
        "{{ trigger.payload == 'safe' }}",
        "trigger.payload == 'safe'",
        "'safe' in [{{ trigger.payload }}]",
    ],
)
def test_a_sender_cannot_write_the_condition(condition: str, value: str) -> None:
    assert truth(condition, {"trigger": {"payload": value}}) is False
    assert truth(condition, {"trigger": {"payload": "safe"}}) is True


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "   ",
        "{{ }}",
        "{# only a comment #}",
        "hello",
        "yes",
        "{{ item }} == ok",
        "{{ item }} ==",
        "== 200",
        "{{ item }} {{ item }}",
        "{{ item ) or ( true }}",
        "({{ item }}",
        "{{ item }})",
        "{{ item }} == 'open",
        "{{ item }} == it's",
        "{% if item %}",
        "{{ item",
        "{{ item }} = 1",
    ],
)
def test_a_condition_that_is_none_is_a_template_error(condition: str) -> None:
    with pytest.raises(TemplateError):
        truth(condition, {"item": 1})


@pytest.mark.parametrize("condition", [None, 1, 0, [], {}, 1.5])
def test_a_condition_is_a_text_or_a_boolean(condition: Any) -> None:
    with pytest.raises(TemplateError, match="a text or a boolean"):
        truth(condition, {})


def test_a_missing_path_is_an_error_not_false() -> None:
    with pytest.raises(MissingError, match=r"trigger\.body: no such key 'body'"):
        truth("{{ trigger.body }} == 1", {"trigger": {"payload": 1}})


def test_an_order_between_kinds_is_an_error_that_names_both() -> None:
    with pytest.raises(RenderError, match="a string and a number"):
        truth("{{ item }} > 1", {"item": "5"})


def test_a_condition_tells_what_it_refers_to() -> None:
    found = parse_condition(
        "{{ a-1.status }} == 200 and b.x > {{ item.y }}", ["a-1", "b"]
    )
    assert found.references == {
        ("steps", "a-1", "status"),
        ("steps", "b", "x"),
        ("item", "y"),
    }


def test_a_condition_and_a_text_of_the_same_words_are_kept_apart() -> None:
    text = "{{ item }} == 1"
    assert render(text, {"item": 1}) == "1 == 1"
    assert truth(text, {"item": 1}) is True
    assert render(text, {"item": 2}) == "2 == 1"
    assert truth(text, {"item": 2}) is False


FIELDS = ("condition", "cases.*.condition")


def test_a_config_holds_the_truth_where_its_conditions_stood() -> None:
    config = {
        "condition": "{{action-1.status}} == 200",
        "cases": [
            {"name": "a", "condition": "trigger.payload.paid"},
            {"name": "{{ variables.region }}", "condition": False},
            {"name": "c", "equals": "{{action-1.status}} == 200"},
        ],
    }
    assert render(config, make_scope(), known_names=KNOWN, conditions=FIELDS) == {
        "condition": True,
        "cases": [
            {"name": "a", "condition": True},
            {"name": "eu", "condition": False},
            {"name": "c", "equals": "200 == 200"},
        ],
    }
    assert config["condition"] == "{{action-1.status}} == 200"


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"condition": "trigger.nowhere"}, "condition"),
        ({"condition": None}, "condition"),
        ({"cases": [{"condition": True}, {"condition": 1}]}, "cases[1].condition"),
    ],
)
def test_a_condition_that_cannot_be_decided_is_told_with_its_place(
    config: Any, place: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(config, make_scope(), known_names=KNOWN, conditions=FIELDS)
    assert caught.value.path == place


@pytest.mark.parametrize(
    "config",
    [{}, [], "x", {"cases": "x"}, {"cases": {"condition": "x"}}, {"cases": ["x", 1]}],
)
def test_where_there_is_no_condition_none_is_found(config: Any) -> None:
    assert list(condition_places(config, FIELDS)) == []


def test_conditions_without_braces_name_what_they_read() -> None:
    config = {"condition": "steps.notify.status == action-1.status", "text": "run.id"}
    assert references(config, KNOWN, FIELDS) == {
        ("steps", "notify", "status"),
        ("steps", "action-1", "status"),
    }
    assert references(config, KNOWN) == frozenset()


def test_a_condition_that_cannot_be_read_is_told_with_its_place() -> None:
    with pytest.raises(TemplateError, match=r"^cases\[0\]\.condition: "):
        references({"cases": [{"condition": "1 +"}]}, KNOWN, FIELDS)
