"""IF, Filter and Switch: which way the data goes, in all their versions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.integrations.n8n.making import (
    connections,
    convert,
    exported,
    line,
    node,
    step,
    told,
)
from workflows.expressions import truth


def holds(condition: str, payload: Any) -> bool:
    root = {"trigger": {"payload": payload, "headers": {}, "query": {}}, "steps": {}}
    return truth(condition, root)


def new(left: Any, kind: str, operation: str, right: Any = "", **options: Any) -> Any:
    """The parameters of IF since version 2."""
    one = {
        "leftValue": left,
        "rightValue": right,
        "operator": {"type": kind, "operation": operation},
    }
    return {
        "conditions": {"combinator": "and", "conditions": [one], "options": options}
    }


def condition_of(parameters: Any, version: float) -> str:
    found = line(node("If", "if", parameters, version))
    assert step(found, "if_2")["type"] == "branch", told(found, "If").differs
    return str(step(found, "if_2")["config"]["condition"])


X = "={{ $json.body.x }}"
NEW_YEAR = "2026-01-01T00:00:00Z"
EARLIER, LATER = "2025-02-01T00:00:00Z", "2026-02-01T00:00:00Z"


@pytest.mark.parametrize(
    ("kind", "operation", "right", "true_of", "false_of"),
    [
        ("string", "equals", "a", "a", "b"),
        ("string", "notEquals", "a", "b", "a"),
        ("string", "contains", "b", "abc", "ac"),
        ("string", "notContains", "b", "ac", "abc"),
        ("string", "startsWith", "ab", "abc", "bc"),
        ("string", "notStartsWith", "ab", "bc", "abc"),
        ("string", "endsWith", "bc", "abc", "ab"),
        ("string", "notEndsWith", "bc", "ab", "abc"),
        ("string", "empty", "", "", "a"),
        ("string", "notEmpty", "", "a", ""),
        ("string", "exists", "", "a", None),
        ("string", "notExists", "", None, "a"),
        ("number", "equals", 5, 5, 6),
        ("number", "notEquals", 5, 6, 5),
        ("number", "gt", "5", 6, 5),
        ("number", "lt", 5, 4, 5),
        ("number", "gte", 5, 5, 4),
        ("number", "lte", 5, 5, 6),
        ("number", "gt", 5, 6, None),
        ("boolean", "true", "", True, False),
        ("boolean", "false", "", False, True),
        ("boolean", "equals", True, True, False),
        ("dateTime", "after", NEW_YEAR, LATER, EARLIER),
        ("dateTime", "before", NEW_YEAR, EARLIER, LATER),
        ("array", "contains", "a", ["a"], ["b"]),
        ("array", "notContains", "a", ["b"], ["a"]),
        ("array", "lengthEquals", 1, ["a"], []),
        ("array", "lengthGt", 1, ["a", "b"], ["a"]),
        ("array", "empty", "", [], ["a"]),
        ("array", "notEmpty", "", ["a"], []),
        ("object", "empty", "", {}, {"a": 1}),
        ("object", "notEmpty", "", {"a": 1}, {}),
    ],
)  # fmt: skip
def test_each_comparison_since_version_2(
    kind: str, operation: str, right: Any, true_of: Any, false_of: Any
) -> None:
    condition = condition_of(new(X, kind, operation, right), 2.2)

    assert holds(condition, {"x": true_of})
    assert not holds(condition, {"x": false_of})


def test_what_is_missing_is_like_nothing() -> None:
    """JavaScript's undefined: no comparison fails for it."""
    assert not holds(condition_of(new(X, "string", "equals", "a"), 2), {})
    assert holds(condition_of(new(X, "string", "empty"), 2), {})
    assert holds(condition_of(new(X, "string", "notExists"), 2), {})
    assert not holds(condition_of(new(X, "number", "gt", 1), 2), {})


def test_case_and_types_may_be_ignored() -> None:
    ignoring = new(X, "string", "equals", "ABC", caseSensitive=False)
    assert holds(condition_of(ignoring, 2), {"x": "abc"})
    loose = new(X, "number", "gt", 5, typeValidation="loose")
    assert holds(condition_of(loose, 2.1), {"x": "6"})
    assert not holds(condition_of(new(X, "number", "gt", 5), 2.1), {"x": "6"})


def test_conditions_are_joined_as_they_say() -> None:
    one, two = new(X, "string", "equals", "a"), new(X, "string", "equals", "b")
    both = one["conditions"]["conditions"] + two["conditions"]["conditions"]
    for combinator, expected in (("or", True), ("and", False)):
        given = {"conditions": {"combinator": combinator, "conditions": both}}
        assert holds(condition_of(given, 2.2), {"x": "b"}) is expected


@pytest.mark.parametrize(
    ("kind", "item", "true_of", "false_of"),
    [
        ("boolean", {"value2": True}, True, False),
        ("boolean", {}, False, True),
        ("boolean", {"operation": "notEqual", "value2": True}, False, True),
        ("number", {"value2": 5}, 4, 5),
        ("number", {"operation": "largerEqual", "value2": 5}, 5, 4),
        ("number", {"operation": "equal", "value2": 5}, 5, 4),
        ("number", {"operation": "isEmpty"}, None, 1),
        ("string", {"value2": "a"}, "a", "b"),
        ("string", {"operation": "contains", "value2": "b"}, "abc", "c"),
        ("string", {"operation": "notContains", "value2": "b"}, "c", "abc"),
        ("string", {"operation": "endsWith", "value2": "c"}, "abc", "ab"),
        ("string", {"operation": "isEmpty"}, "", "a"),
        ("string", {"operation": "isNotEmpty"}, "a", ""),
        ("dateTime", {"value2": NEW_YEAR}, LATER, EARLIER),
    ],
)  # fmt: skip
def test_each_comparison_of_version_1(
    kind: str, item: Any, true_of: Any, false_of: Any
) -> None:
    """Left out, the operation and the second value are n8n's usual ones."""
    condition = condition_of({"conditions": {kind: [{"value1": X, **item}]}}, 1)

    assert holds(condition, {"x": true_of})
    assert not holds(condition, {"x": false_of})


def test_any_of_version_1() -> None:
    items = [{"value1": X, "value2": "a"}, {"value1": X, "value2": "b"}]
    given = {"conditions": {"string": items}, "combineOperation": "any"}
    assert holds(condition_of(given, 1), {"x": "b"})
    assert not holds(condition_of({**given, "combineOperation": "all"}, 1), {"x": "b"})


@pytest.mark.parametrize(
    ("parameters", "version"),
    [
        (new(X, "string", "regex", "a.*"), 2),
        ({"conditions": {"string": [{"value1": X, "operation": "regex"}]}}, 1),
        (new("={{ new Date(1) }}", "string", "equals", "a"), 2),
        (new(X, "string", "soundsLike", "a"), 2),
        ({"conditions": {"conditions": []}}, 2),
        ({"conditions": {}}, 1),
    ],
)  # fmt: skip
def test_what_cannot_be_decided_here_is_no_guess(
    parameters: Any, version: float
) -> None:
    """A branch that might go the wrong way is worse than none."""
    found = line(node("If", "if", parameters, version))

    assert told(found, "If").fidelity == "unsupported"
    assert step(found, "if_2")["type"] == "placeholder"
    assert step(found, "if_2")["config"]["reached"] == "fail"


def test_the_outputs_of_if_are_ports() -> None:
    tree = exported(
        [
            node("Hook", "webhook"),
            node("If", "if", new(X, "string", "equals", "a"), 2),
            node("Yes", "noOp"),
            node("No", "noOp"),
        ],
        [("Hook", "If"), ("If", "Yes", 0), ("If", "No", 1)],
    )
    assert connections(convert(tree)) == {
        ("if_2", "true", "yes"),
        ("if_2", "false", "no"),
    }


def test_filter_is_a_filter() -> None:
    found = line(
        node("Only", "filter", new(X, "number", "gt", 3), 2.2), node("N", "noOp")
    )
    assert step(found, "only")["type"] == "filter"
    assert holds(step(found, "only")["config"]["condition"], {"x": 4})
    assert told(found, "Only").fidelity == "exact"


def switched(parameters: Any, version: float) -> Any:
    tree = exported(
        [
            node("Hook", "webhook"),
            node("Switch", "switch", parameters, version),
            *(node(name, "noOp") for name in ("A", "B", "C")),
        ],
        [
            ("Hook", "Switch"),
            ("Switch", "A", 0),
            ("Switch", "B", 1),
            ("Switch", "C", 2),
        ],
    )
    return convert(tree)


def test_switch_by_conditions() -> None:
    """Version 3: rules with conditions and names, and what fits none."""
    rules = [
        {"outputKey": "Big one", **new(X, "number", "gt", 10)},
        {"outputKey": "Small", **new(X, "number", "gt", 1)},
    ]
    given = {"rules": {"values": rules}, "options": {"fallbackOutput": "extra"}}
    found = switched(given, 3.2)
    cases = step(found, "switch")["config"]["cases"]

    assert [case["name"] for case in cases] == ["big-one", "small"]
    assert holds(cases[0]["condition"], {"x": 11})
    assert connections(found) == {
        ("switch", "big-one", "a"),
        ("switch", "small", "b"),
        ("switch", "default", "c"),
    }
    assert told(found, "Switch").fidelity == "exact"


def test_switch_by_rules_of_version_1() -> None:
    """Each rule names its output, 0 where it does not."""
    rules = [
        {"value2": "a", "output": 1},
        {"value2": "b"},
        {"value2": "c", "output": 1},
    ]
    given = {
        "dataType": "string",
        "value1": X,
        "rules": {"rules": rules},
        "fallbackOutput": 2,
    }
    found = switched(given, 1)
    assert connections(found) == {
        ("switch", "output-0", "b"),
        ("switch", "output-1", "a"),
        ("switch", "output-2", "b"),
        ("switch", "default", "c"),
    }


def test_switch_by_rules_of_version_2() -> None:
    rules = [{"value2": 1, "operation": "equal", "outputKey": "one"}, {"value2": 5}]
    found = switched({"value1": X, "rules": {"rules": rules}, "fallbackOutput": -1}, 2)
    cases = step(found, "switch")["config"]["cases"]

    assert holds(cases[0]["condition"], {"x": 1})
    assert holds(cases[1]["condition"], {"x": 4})  # "smaller" is n8n's usual one
    assert ("switch", "one", "a") in connections(found)


@pytest.mark.parametrize(
    ("version", "count"), [(2, "outputsAmount"), (3, "numberOutputs")]
)
def test_switch_by_expression(version: float, count: str) -> None:
    given = {"mode": "expression", "output": X, count: 3}
    found = switched(given, version)
    config = step(found, "switch")["config"]

    assert [case["equals"] for case in config["cases"]] == [0, 1, 2]
    assert ("switch", "output-2", "c") in connections(found)


def test_all_matching_outputs_are_told() -> None:
    rules = [{"outputKey": "a", **new(X, "number", "gt", 1)}]
    given = {"rules": {"values": rules}, "options": {"allMatchingOutputs": True}}
    assert "only the first" in told(switched(given, 3.2), "Switch").differs[0]
