"""Whatever is written, whatever arrives: bounded, repeatable, and only two errors."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflows.expressions import (
    FILTERS,
    TESTS,
    ExpressionError,
    Limits,
    MissingError,
    parse,
    parse_condition,
    references,
    render,
    templates,
    truth,
)

KNOWN = ["a", "a-1", "b-c-2"]
NAMES = ["a", "b", "items", "0", "x-y", "__class__", "größe", ""]
LIMITS = Limits(source=5_000, output=20_000, operations=20_000)

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["{{ secrets.K }}", "{{ 1 }}", "{% raw %}", "{#", "}}", "'", '"', "\\",
         "\ud800", "\x00", "1", "-2.5", "true", "2026-03-07T14:05:00Z", "YQ==",
         '{"a": [1]}', "[" * 300]
    ),
)  # fmt: skip
numbers = st.one_of(
    st.integers(-5, 5),
    st.integers(),
    st.sampled_from([10**18, -(10**18), 10**400, 10**4000, 2**63]),
    st.floats(),
)
atoms = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=4),
    ),
    max_leaves=12,
)
scopes = st.fixed_dictionaries(
    {
        "trigger": st.fixed_dictionaries({"payload": values}),
        "steps": st.dictionaries(st.sampled_from(KNOWN), values),
        "variables": values,
        "item": values,
    },
    optional={"index": st.integers(0, 3), "secrets": st.just({"K": "s3cr3t"})},
)


def _literals() -> st.SearchStrategy[str]:
    strings = st.text("abc{}%' \"\\n-1é", max_size=6).map(
        lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    )
    return st.one_of(
        strings,
        st.sampled_from(
            ["none", "true", "false", "null", "0", "1", "-1", "2.5", "1e308", "[]",
             "{}", "999999999999999999", "'a.b'", "'=='", "'%Y %s'", "','"]
        ),
    )  # fmt: skip


def _paths() -> st.SearchStrategy[str]:
    roots = st.sampled_from(
        ["trigger", "trigger.payload", "steps", "variables", "item", "index", "run",
         "secrets", "secrets.K", "a", "a-1", "b-c-2", "steps.a-1", "zzz", "loop",
         "trigger()"]
    )  # fmt: skip
    tails = st.lists(
        st.sampled_from(
            [".a", ".b", ".items", ".0", "['x-y']", "[0]", "[-1]", "['__class__']",
             ".__class__", "[1:]", "[:2]", "[item]", "[index]", ".größe", "['']"]
        ),
        max_size=3,
    )  # fmt: skip
    return st.tuples(roots, tails).map(lambda parts: parts[0] + "".join(parts[1]))


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(
        ["+", "-", "*", "/", "//", "%", "~", "**", "==", "!=", "<", "<=", ">", ">=",
         "in", "not in", "and", "or"]
    )  # fmt: skip
    arguments = st.lists(inner, max_size=2).map(", ".join)
    filters = st.sampled_from([*FILTERS, "attr", "format", "safe"])
    tests = st.sampled_from([*TESTS, "callable"])
    return st.one_of(
        st.tuples(inner, operators, inner).map(" ".join),
        inner.map(lambda x: f"({x})"),
        inner.map(lambda x: f"not {x}"),
        inner.map(lambda x: f"-{x}"),
        st.tuples(inner, filters).map(lambda p: f"{p[0]} | {p[1]}"),
        st.tuples(inner, filters, arguments).map(
            lambda p: f"({p[0]}) | {p[1]}({p[2]})"
        ),
        inner.map(lambda x: f"({x}) | map(attribute={x})"),
        st.tuples(inner, tests).map(lambda p: f"{p[0]} is {p[1]}"),
        st.tuples(inner, tests, inner).map(lambda p: f"({p[0]}) is not {p[1]}({p[2]})"),
        st.tuples(inner, inner, inner).map(lambda p: f"{p[0]} if {p[1]} else {p[2]}"),
        st.lists(inner, max_size=3).map(lambda p: f"[{', '.join(p)}]"),
        inner.map(lambda x: f"{{'a': {x}, 'b': {x}}}"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]})[{p[1]}]"),
    )


expressions = st.recursive(_literals() | _paths(), _combined, max_leaves=8)
sources = st.one_of(
    expressions.map(lambda x: f"{{{{ {x} }}}}"),
    st.lists(
        expressions.map(lambda x: f"{{{{ {x} }}}}") | st.text(max_size=8), max_size=4
    ).map("".join),
    st.text(
        "{}%#'\"\\()[]|.,:~+-*/<>=! \nabitrgesnod01_é\x00", max_size=60
    ).map(lambda text: "{{" + text + "}}"),
    st.text(max_size=40).map(lambda text: "{{ " + text),
)  # fmt: skip

many = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def outcome(evaluate: Any) -> tuple[str, Any]:
    """What happens, as something that can be compared; only our two errors pass."""
    try:
        return "value", evaluate()
    except ExpressionError as error:
        return type(error).__name__, str(error)


@many
@given(source=sources, scope=scopes)
def test_only_the_two_errors_ever_leave(source: str, scope: dict[str, Any]) -> None:
    kind, value = outcome(lambda: render(source, scope, LIMITS, known_names=KNOWN))
    assert kind in ("value", "TemplateError", "RenderError", "MissingError")
    if kind == "value" and isinstance(value, str) and value is not source:
        passed_on = any(value is text for text in _all_texts(scope))
        assert passed_on or len(value) <= LIMITS.output


@many
@given(source=expressions | sources, scope=scopes)
def test_a_condition_is_true_or_false_or_one_of_the_two_errors(
    source: str, scope: dict[str, Any]
) -> None:
    kind, value = outcome(lambda: truth(source, scope, LIMITS, known_names=KNOWN))
    assert kind != "value" or value in (True, False)
    assert truth_again(source, scope) == (kind, value)


def truth_again(source: str, scope: dict[str, Any]) -> tuple[str, Any]:
    return outcome(lambda: truth(source, scope, LIMITS, known_names=set(KNOWN)))


@many
@given(source=sources, scope=scopes)
def test_the_same_gives_the_same_and_changes_nothing(
    source: str, scope: dict[str, Any]
) -> None:
    before = repr(scope)
    first = outcome(lambda: render(source, scope, LIMITS, known_names=KNOWN))
    second = outcome(lambda: render(source, scope, LIMITS, known_names=KNOWN))
    assert repr(first) == repr(second)
    assert repr(scope) == before


@many
@given(expression=expressions, scope=scopes)
def test_what_is_evaluated_alone_and_within_text_agrees(
    expression: str, scope: dict[str, Any]
) -> None:
    alone = outcome(lambda: render(f"{{{{ {expression} }}}}", scope, known_names=KNOWN))
    within = outcome(
        lambda: render(f"<{{{{ {expression} }}}}", scope, known_names=KNOWN)
    )
    if alone[0] != "value":
        assert within == alone
    elif isinstance(alone[1], str):
        assert within == ("value", f"<{alone[1]}")
    elif within[0] == "value" and alone[1] is not None:
        assert repr(json.loads(within[1][1:])) == repr(_read_again(alone[1]))


def _read_again(value: Any) -> Any:
    return json.loads(json.dumps(value))


@many
@given(payload=values, name=st.sampled_from(["payload", "p-1"]))
def test_values_pass_through_untouched_whatever_is_in_them(
    payload: Any, name: str
) -> None:
    scope = {"trigger": {name: payload}, "secrets": {"K": "s3cr3t"}}
    passed = render({"x": [f"{{{{ trigger['{name}'] }}}}"]}, scope)
    assert passed["x"][0] is payload or payload == passed["x"][0]
    kind, text = outcome(lambda: render(f"{{{{ trigger['{name}'] }}}}!", scope))
    assert kind == "RenderError" or text.endswith("!")
    assert "s3cr3t" not in str(text)


@many
@given(text=st.text())
def test_any_text_reaches_the_other_side_as_it_is(text: str) -> None:
    scope = {"item": text}
    assert render("{{ item }}", scope) == text
    assert render("a{{ item }}b", scope) == f"a{text}b"
    assert render({"k": ["{{ item }}{{ item }}"]}, scope) == {"k": [text * 2]}
    assert truth("{{ item }} == {{ item }}", scope)
    assert truth("'{{ item }}' == item", scope)


@many
@given(text=st.text())
def test_text_without_delimiters_is_never_touched(text: str) -> None:
    if not any(opening in text for opening in ("{{", "{%", "{#")):
        assert render(text, {}) is text
        assert references(text) == frozenset()


@many
@given(source=sources)
def test_what_an_expression_asks_for_is_among_its_references(source: str) -> None:
    asked: set[str] = set()

    class Noting(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            asked.add(str(key))
            return super().__contains__(key)

    scope = Noting(item=[1], index=0)
    kind, _ = outcome(lambda: render(source, scope, LIMITS, known_names=KNOWN))
    if kind == "TemplateError":
        return
    roots = {path[0] for path in references(source, KNOWN)}
    assert asked <= roots


@many
@given(tree=st.recursive(
    sources | atoms,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
))  # fmt: skip
def test_all_templates_of_a_tree_are_told_with_their_errors(tree: Any) -> None:
    found = list(templates(tree, KNOWN))
    failed = [what for _, what in found if isinstance(what, ExpressionError)]
    kind, value = outcome(lambda: references(tree, KNOWN))
    assert (kind == "TemplateError") == bool(failed)
    if failed:
        assert value == str(failed[0])
    for path, what in found:
        assert not isinstance(what, ExpressionError) or what.path == path


@many
@given(expression=expressions)
def test_braces_around_a_whole_condition_change_nothing(expression: str) -> None:
    bare = outcome(lambda: parse_condition(expression, KNOWN).references)
    braced = outcome(
        lambda: parse_condition(f"{{{{ {expression} }}}}", KNOWN).references
    )
    plain = outcome(lambda: parse(f"{{{{ {expression} }}}}", KNOWN).references)
    if "{{" not in expression and "{%" not in expression and "{#" not in expression:
        assert bare[0] == braced[0] == plain[0]
        if plain[0] == "value":
            assert bare == braced == plain


@given(
    path=st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4), value=atoms
)
def test_every_path_of_strings_can_be_written(path: list[str], value: Any) -> None:
    scope: Any = value
    for key in reversed(path):
        scope = {key: scope}
    if any("\ud800" <= character <= "\udfff" for key in path for character in key):
        return
    written = "".join(f"[{json.dumps(key)}]" for key in path)
    found = render(f"{{{{ trigger{written} }}}}", {"trigger": scope})
    assert found is value or found == value or value != value
    kind, _ = outcome(
        lambda: render(f"{{{{ trigger{written}.x }}}}", {"trigger": scope})
    )
    assert kind == MissingError.__name__


def _all_texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _all_texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _all_texts(item)]
    return []
