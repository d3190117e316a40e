"""Where an expression starts and ends, and what becomes of the text around it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.expressions.helpers import template_error, value_of
from workflows.expressions import Limits, TemplateError, parse, render

SCOPE: dict[str, Any] = {
    "variables": {"a": 1, "s": "x", "n": None, "l": [1, {"b": "ü"}]}
}


def rendered(tree: Any) -> Any:
    return render(tree, SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ variables.a }}", 1),
        ("{{variables.a}}", 1),
        ("  {{ variables.a }}\n", 1),
        ("{{ variables.a }}{# said #}", 1),
        ("{{\n  variables.a\n}}", 1),
        ("{{ variables.n }}", None),
        ("{{ variables.l }}", [1, {"b": "ü"}]),
        ("{{ true }}", True),
        ("{{ 'text' }}", "text"),
        ("{{ 1.0 }}", 1.0),
    ],
)
def test_a_text_that_is_one_expression_keeps_the_type(text: str, expected: Any) -> None:
    value = rendered(text)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {{ variables.a }}", "a 1"),
        ("{{ variables.a }}.", "1."),
        ("{{ variables.a }}{{ variables.a }}", "11"),
        ("<{{ variables.n }}>", "<>"),
        ("<{{ true }}{{ false }}>", "<truefalse>"),
        ("<{{ variables.l }}>", '<[1,{"b":"ü"}]>'),
        ("<{{ {'a': none} }}>", '<{"a":null}>'),
        ("<{{ 1.50 }} {{ 10 / 4 }} {{ 1e20 }}>", "<1.5 2.5 1e+20>"),
        ("<{{ 'a\"b' }}>", '<a"b>'),
        ("{{ 1 }} {# c #}", 1),
        ("a{# c {{ 1 }} #}b", "ab"),
        ("{# c #}", ""),
        (" {# c #} ", "  "),
        ("a\r\n{{ 1 }}\r\n", "a\r\n1\r\n"),
        ("{{ 1 }}\n\n{{ 2 }}\n", "1\n\n2\n"),
        ("a  {{- 1 -}}  b", "a1b"),
        ("a  {{- 1 }}  b", "a1  b"),
        ("a {{ 1 -}} {# c #} b", "a 1 b"),
        ("{{ '}}' }}!", "}}!"),
        ("{{ '{{' }} and {{ \"}}\" }}", "{{ and }}"),
        ("{{ {'a': {'b': 1}}}}!", '{"a":{"b":1}}!'),
        ("{{ 'it\\'s' }}!", "it's!"),
        ("{{ 'a\\\\' ~ 'b' }}!", "a\\b!"),
        ("{{ '\\n\\t\\u00fc' }}!", "\n\tü!"),
        ("{{ '\\ud83d\\ude00' }}!", "\U0001f600!"),
        ("{{ {'\\ud83d\\ude00': 1}['\\ud83d\\ude00'] }}!", "1!"),
    ],
)
def test_text_around_it_makes_a_text(text: str, expected: Any) -> None:
    assert rendered(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "{ }",
        "}}",
        "{a}",
        "#}",
        "%}",
        "a { b",
        '{"a": {"b": 1}}',
        "{",
        "$ { {",
    ],
)
def test_text_without_delimiters_is_left_alone(text: str) -> None:
    assert rendered(text) is text
    assert parse(text).is_template is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% if x %}{% endif %}", "blocks, {% ... %}, are not part of the language"),
        ("a {%- raw %}", "blocks, {% ... %}, are not part of the language"),
        ("{{ 1 }} {% set a = 1 %}", "blocks, {% ... %}, are not part of the language"),
        ("{{ 1 ", "{{ is not closed by }}"),
        ("{{ 1 }", "'}' closes nothing"),
        ("{{ (1 }}", "'}' closes nothing"),
        ("{{ [1) }}", "')' closes nothing"),
        ("{{ (1", "'(' is not closed"),
        ("{{ 'a }}", "a string is not closed: ' is missing"),
        ('{{ "a }}', 'a string is not closed: " is missing'),
        ("{{ }}", "the expression is empty"),
        ("{{}}", "the expression is empty"),
        ("{{-}}", "the expression is empty"),
        ("{# a", "a comment, {#, is not closed by #}"),
        ("{{ '\\d' }}", "a \\ in a string is written \\\\"),
        ("{{ '\\ud800' }}", "half a surrogate pair is not a character"),
        ("{{ {1: 2} }}", "a mapping's keys are strings in quotes"),
        ("{{ {variables: 2} }}", "a mapping's keys are strings in quotes"),
        ("{{ 1 2 }}", "'2' is not expected here"),
        ("{{ variables.a; 1 }}", "';' is not expected here"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(
    text: str, message: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        rendered(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "expression",
    [
        "1 +",
        "* 2",
        "a b c",
        "1 if",
        "x |",
        "trigger.",
        "trigger[",
        "1 = 2",
        "$x",
        "a ? b",
    ],
)
def test_bad_syntax_is_a_template_error(expression: str) -> None:
    assert template_error(expression)


def test_an_unknown_name_is_refused_with_what_was_meant() -> None:
    assert template_error("triger.payload").endswith("did you mean trigger?")
    assert template_error("notfy.status").endswith("did you mean notify?")
    assert "unknown name 'foo'" in template_error("foo")
    assert '["x-y"]' in template_error("trigger.headers.x-request-id")


@pytest.mark.parametrize("literal", ["none", "None", "null"])
def test_null_has_the_names_of_both_worlds(literal: str) -> None:
    assert value_of(literal) is None


@pytest.mark.parametrize(
    ("literal", "expected"),
    [("true", True), ("True", True), ("false", False), ("False", False)],
)
def test_booleans_have_the_names_of_both_worlds(literal: str, expected: Any) -> None:
    assert value_of(literal) is expected


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"headers": {"X": "{{ variables.b }}"}}, "headers.X"),
        ({"items": [1, "{{ variables.b }}"]}, "items[1]"),
        ([[{"a b": ["{{ variables.b }}"]}]], '[0][0]["a b"][0]'),
        ("{{ variables.b }}", ""),
        ({"{{ variables.b }}": 1}, '["{{ variables.b }}"]'),
        ({"url": "{{ variables.b"}, "url"),
        ({"body": {"items": ["a", {"b": "{% x %}"}]}}, "body.items[1].b"),
    ],
)
def test_an_error_says_where_in_the_tree_it_is(tree: Any, path: str) -> None:
    with pytest.raises((TemplateError, ValueError)) as caught:
        rendered(tree)
    assert getattr(caught.value, "path", None) == path
    assert str(caught.value).startswith(f"{path}: " if path else "")


def test_keys_are_rendered_as_text() -> None:
    assert rendered({"x-{{ variables.a }}": 1}) == {"x-1": 1}
    assert rendered({"{{ variables.a }}": 1}) == {"1": 1}


def test_two_keys_that_become_one_are_an_error() -> None:
    with pytest.raises(ValueError, match="this key is there twice"):
        rendered({"1": 1, "{{ variables.a }}": 2})


def test_what_holds_no_template_is_the_same_object() -> None:
    tree = {"a": [1, None, True, {"b": "plain"}], "c": "{ x }"}
    assert rendered(tree) is tree


def test_the_tree_given_is_not_changed() -> None:
    plain = {"deep": [1]}
    tree = {"a": "{{ variables.a }}", "b": plain, "c": ["{{ variables.s }}", 2]}
    assert rendered(tree) == {"a": 1, "b": plain, "c": ["x", 2]}
    assert tree == {"a": "{{ variables.a }}", "b": plain, "c": ["{{ variables.s }}", 2]}
    assert rendered(tree)["b"] is plain


def test_a_source_too_long_is_refused_when_it_is_a_template() -> None:
    limits = Limits(source=50)
    assert render("x" * 100, {}, limits) == "x" * 100
    with pytest.raises(TemplateError, match="at most 50 characters"):
        render("x" * 100 + "{{ 1 }}", {}, limits)
    with pytest.raises(TemplateError, match="at most 4000 characters"):
        rendered("{{ 1 " + " " * 4000 + "}}")
    with pytest.raises(TemplateError, match="at most 4000 characters"):
        rendered("{{ '" + "x" * 4000 + "' }}")


def test_a_long_text_with_a_template_is_read_though_it_is_not_cached() -> None:
    assert rendered("x" * 9000 + "{{ variables.a }}") == "x" * 9000 + "1"
