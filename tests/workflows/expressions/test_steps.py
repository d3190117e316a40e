"""Step ids as names: with hyphens, and beside subtraction."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.expressions.helpers import template_error, value_of
from workflows.expressions import TemplateError, parse, references, render, truth


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("action-1.status", 200),
        ("steps.action-1.status", 200),
        ("steps . action-1.status", 200),
        ("steps['action-1'].status", 200),
        ('steps["action-1"]["status"]', 200),
        ("action-1['status']", 200),
        ("action-1.status - 1", 199),
        ("action-1.status-1", 199),
        ("1-action-1.status", -199),
        ("action.count - 1", 4),
        ("action.count-1", 4),
        ("action.count -action.count", 0),
        ("notify.status", 201),
        ("steps.notify.status", 201),
        ("a-b-c.ok", True),
        ("größe².ok", True),
        ("steps.2fa.ok", True),
        ("steps['2fa'].ok", True),
        ("'action-1.status'", "action-1.status"),
        ('"action-1" ~ action-1.status', "action-1200"),
        ("[action-1.status, notify.status]", [200, 201]),
        ("{'action-1': action-1.status}", {"action-1": 200}),
        ("action-1.status if action-1.status == 200 else none", 200),
        ("action-1", {"status": 200}),
        ("action-1 | keys", ["status"]),
    ],
)
def test_a_step_that_exists_is_found_by_its_id(expression: str, expected: Any) -> None:
    assert value_of(expression) == expected


def test_the_longest_known_id_wins() -> None:
    scope = {"steps": {"a": {"v": 1}, "a-1": {"v": 2}, "a-12": {"v": 3}}}
    for name, expected in [("a", 1), ("a-1", 2), ("a-12", 3)]:
        text = f"{{{{ {name}.v }}}}"
        assert render(text, scope, known_names=["a", "a-1", "a-12"]) == expected


def test_without_such_a_step_a_hyphen_is_subtraction() -> None:
    scope = {"item": 5, "index": 2, "steps": {}}
    assert render("{{ item-index }}", scope) == 3
    assert render("{{ item-1 }}", scope) == 4


def test_a_known_step_wins_over_subtraction_even_from_a_root() -> None:
    scope = {"item": 5, "steps": {"item-1": {"v": "step"}}}
    assert render("{{ item-1.v }}", scope, known_names=["item-1"]) == "step"


def test_a_root_wins_over_a_step_of_its_name() -> None:
    scope = {"run": {"id": "root"}, "steps": {"run": {"id": "step"}}}
    assert render("{{ run.id }}", scope, known_names=["run"]) == "root"
    assert render("{{ steps.run.id }}", scope, known_names=["run"]) == "step"


def test_a_hyphen_in_a_path_is_not_taken_for_a_step() -> None:
    with pytest.raises(TemplateError, match="unknown name 'x'"):
        parse("{{ trigger.action-x }}", ["action-x"])


def test_an_id_of_words_in_jinja_is_found_behind_steps() -> None:
    scope = {"steps": {"if": {"v": 1}, "filter": {"v": 2}, "null": {"v": 3}}}
    known = frozenset(scope["steps"])
    assert render("{{ steps.if.v }}", scope, known_names=known) == 1
    assert render("{{ filter.v }}", scope, known_names=known) == 2
    assert render("{{ null.v }}", scope, known_names=known) == 3


def test_an_error_shows_the_id_and_not_what_stands_for_it() -> None:
    message = template_error("(action-1 action-1)")
    assert "step_" not in message
    assert "action-1" in message


def test_the_word_that_stands_for_a_step_never_meets_one_of_the_author() -> None:
    scope = {"steps": {"a-1": {"v": 1}, "step_0": {"v": 2}, "step__0": {"v": 3}}}
    text = "{{ [a-1.v, step_0.v, step__0.v, 'step_'] }}"
    assert render(text, scope, known_names=list(scope["steps"])) == [1, 2, 3, "step_"]


def test_the_same_text_means_another_thing_when_the_steps_change() -> None:
    scope = {"item": 5, "index": 1, "steps": {"item-index": {"v": "step"}}}
    text = "{{ item-index }}"
    assert render(text, scope) == 4
    assert render(text, scope, known_names=["item-index"]) == {"v": "step"}
    assert render(text, scope, known_names=["other"]) == 4


def test_names_are_taken_from_any_collection() -> None:
    for known in (["a-1"], {"a-1"}, ("a-1",), {"a-1": None}, frozenset({"a-1"})):
        assert references("{{ a-1.x }}", known) == {("steps", "a-1", "x")}
        assert truth("{{ a-1.x }}", {"steps": {"a-1": {"x": 1}}}, known_names=known)


@pytest.mark.parametrize(
    "name", ["a.b", "a b", "a(b", "a'b", "[", "\\", "a*", "}}", ""]
)
def test_an_odd_id_breaks_nothing(name: str) -> None:
    scope = {"steps": {name: {"v": 1}}, "item": {"v": 2}}
    assert render("{{ item.v }}", scope, known_names=[name]) == 2
