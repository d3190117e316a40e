"""Each filter: what it makes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.expressions.helpers import render_error, value_of
from workflows.expressions import FILTERS

NAMES = [
    "default",
    "d",
    "length",
    "upper",
    "lower",
    "trim",
    "title",
    "capitalize",
    "replace",
    "split",
    "join",
    "first",
    "last",
    "int",
    "float",
    "string",
    "bool",
    "round",
    "abs",
    "min",
    "max",
    "sum",
    "sort",
    "unique",
    "reverse",
    "keys",
    "values",
    "items",
    "json",
    "from_json",
    "urlencode",
    "b64encode",
    "b64decode",
    "sha256",
    "slugify",
    "truncate",
    "map",
    "select",
    "selectattr",
    "merge",
    "pick",
    "omit",
    "flatten",
    "date_format",
]


def test_the_list_of_filters_is_fixed() -> None:
    assert sorted(FILTERS) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_filter_documents_is_so(name: str) -> None:
    spec = FILTERS[name]
    value = value_of(spec.example)
    assert value == spec.result
    assert type(value) is type(spec.result)
    assert spec.name == name
    assert spec.signature.split("(")[0] == name
    assert f"| {name}" in spec.example or name == "d"
    assert spec.summary.endswith(".")
    assert "\n" not in spec.summary
    assert "object at" not in spec.signature


def test_signatures_read_like_templates() -> None:
    assert FILTERS["upper"].signature == "upper"
    assert FILTERS["replace"].signature == "replace(old, new)"
    assert FILTERS["truncate"].signature == "truncate(length=255, end='…')"
    assert FILTERS["sort"].signature == "sort(attribute=none, reverse=false)"
    assert FILTERS["pick"].signature == "pick(names...)"
    assert FILTERS["map"].signature == "map(attribute=..., default=...)"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("trigger.nowhere | default('x')", "x"),
        ("trigger.nowhere | d('x')", "x"),
        ("trigger.nowhere | default", ""),
        ("trigger.a.b.c[0].d | default('x')", "x"),
        ("item.name | default('x')", "x"),
        ("secrets.X | default('x')", "x"),
        ("trigger.payload.order.note | default('x')", None),
        ("trigger.payload.order.note | default('x', true)", "x"),
        ("variables.empty | default('x')", ""),
        ("variables.empty | default('x', boolean=true)", "x"),
        ("variables.region | default('x', true)", "eu"),
        ("variables.empty | default(default_value='x', boolean=1)", "x"),
        ("0 | default(5, true)", 5),
        ("variables.region | default(trigger.nowhere)", "eu"),
        ("trigger.nowhere | default(variables.region)", "eu"),
        ("trigger.x | default(trigger.y) | default('z')", "z"),
        ("trigger.nowhere | upper | default('x')", "x"),
        ("(trigger.nowhere + 1) | default(0)", 0),
        ("[] | first | default('none')", "none"),
        ("[] | max | default(0)", 0),
        ("(trigger.nowhere | default([])) | length", 0),
    ],
)
def test_default_takes_paths_that_lead_nowhere(expression: str, expected: Any) -> None:
    assert value_of(expression) == expected


def test_default_hides_no_other_error() -> None:
    assert "division by zero" in render_error("(1 / 0) | default(0)")
    assert "needs a string" in render_error("[] | upper | default('x')")
    assert "no such key 'b'" in render_error("trigger.a | default(trigger.b)")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'straße' | upper", "STRASSE"),
        ("5 | upper", "5"),
        ("true | upper", "TRUE"),
        ("'' | upper", ""),
        ("'xxaxx' | trim('x')", "a"),
        ("'\\n a \\t' | trim", "a"),
        ("'o\\'neil  and co' | title", "O'neil  And Co"),
        ("'' | capitalize", ""),
        ("'aaa' | replace('a', 'bb')", "bbbbbb"),
        ("'aaa' | replace('b', 'c')", "aaa"),
        ("'a.b' | replace('.', '')", "ab"),
        ("'a1' | replace(1, 2)", "a2"),
        ("' a  b ' | split", ["a", "b"]),
        ("'a,,b' | split(',')", ["a", "", "b"]),
        ("'' | split(',')", [""]),
        ("[] | join(',')", ""),
        ("[none, [1], {'a': 1}] | join(' ')", ' [1] {"a":1}'),
        ("none | string", ""),
        ("1.0 | string", "1.0"),
        ("'é' | string", "é"),
        ("'  Hello,   World -- 2 ' | slugify", "hello-world-2"),
        ("'日本' | slugify", ""),
        ("'abcdef' | truncate(6)", "abcdef"),
        ("'abcdef' | truncate(5)", "abcd…"),
        ("'abcdef' | truncate(5, '...')", "ab..."),
        ("'abcdef' | truncate(2, '...')", ".."),
        ("'abcdef' | truncate(0)", ""),
        ("'abcdef' | truncate(length=3, end='')", "abc"),
        ("'ü /?#%' | urlencode", "%C3%BC%20%2F%3F%23%25"),
        ("{'a b': 1, 'c': 'd&e', 'f': true} | urlencode", "a%20b=1&c=d%26e&f=true"),
        ("{} | urlencode", ""),
        ("1.5 | urlencode", "1.5"),
        ("'' | sha256 | length", 64),
        ("'' | b64encode", ""),
        ("'a' | b64encode", "YQ=="),
        ("'YQ' | b64decode", "a"),
        ("'YQ==' | b64decode", "a"),
        ("'w7w' | b64decode", "ü"),
        ("'{\"a\": [1, 1.0, null]}' | from_json", {"a": [1, 1.0, None]}),
        ("'\"x\"' | from_json", "x"),
        ("'a\"b' | json", '"a\\"b"'),
        ("[1.0, 'ü', false] | json", '[1.0,"ü",false]'),
        ("none | json", "null"),
        ("trigger.payload.order | json | from_json == trigger.payload.order", True),
    ],
)
def test_text_filters(expression: str, expected: Any) -> None:
    assert value_of(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("' 42 ' | int", 42),
        ("'-7' | int", -7),
        ("'+7' | int", 7),
        ("'12.9' | int", 12),
        ("'1e3' | int", 1000),
        ("-12.9 | int", -12),
        ("true | int", 1),
        ("'x' | int(0)", 0),
        ("none | int(default=-1)", -1),
        ("'1_000' | int(0)", 0),
        ("'٣' | int(0)", 0),
        ("'0x10' | int(0)", 0),
        ("'nan' | float(0)", 0),
        ("'inf' | float(0)", 0),
        ("'3' | float", 3.0),
        ("'1.' | float", 1.0),
        ("7 | float", 7.0),
        ("'TRUE ' | bool", True),
        ("'yes' | bool", True),
        ("'on' | bool", True),
        ("'1' | bool", True),
        ("'off' | bool", False),
        ("'' | bool", False),
        ("none | bool", False),
        ("0.0 | bool", False),
        ("7 | bool", True),
        ("2.5 | round", 3),
        ("-2.5 | round", -3),
        ("3.5 | round", 4),
        ("2.675 | round(2)", 2.68),
        ("1.005 | round(2)", 1.01),
        ("7 | round(2)", 7),
        ("1e16 | round(2)", 1e16),
        ("1e17 | round", 10**17),
        ("-1.5 | abs", 1.5),
    ],
)
def test_number_filters(expression: str, expected: Any) -> None:
    value = value_of(expression)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'hello' | length", 5),
        ("{'a': 1} | length", 1),
        ("['b', 'a'] | min", "a"),
        ("[1, 2.5] | max", 2.5),
        ("[] | sum", 0),
        ("['b', 'a', 'C'] | sort", ["C", "a", "b"]),
        ("[3, 1.5, 2] | sort(reverse=true)", [3, 2, 1.5]),
        ("[] | sort", []),
        (
            "[{'a': {'n': 2}}, {'a': {'n': 1}}] | sort('a.n') | map(attribute='a.n')",
            [1, 2],
        ),
        (
            "[{'k': 1, 'v': 'a'}, {'k': 0, 'v': 'b'}, {'k': 1, 'v': 'c'}]"
            " | sort('k') | map(attribute='v')",
            ["b", "a", "c"],
        ),
        ("[1, '1', true, 1.0, none, none] | unique", [1, "1", True, None]),
        ("[[1, {'a': 1}], [1.0, {'a': 1.0}]] | unique", [[1, {"a": 1}]]),
        ("[{'a': 1, 'b': 2}, {'b': 2, 'a': 1}] | unique | length", 1),
        ("['1', 1, 'True', true, 'None', none] | unique | length", 6),
        ("'abc' | reverse", "cba"),
        ("[[[1]], [2, [3]]] | flatten(2)", [1, 2, 3]),
        ("[[1]] | flatten(0)", [[1]]),
        ("[['a', 'b'], ['c', 'd']] | map(attribute='1')", ["b", "d"]),
        ("[{'a': 1}, {}] | map(attribute='a', default=0)", [1, 0]),
        ("[0, 1, '', 'a', none] | select", [1, "a"]),
        ("[1, 2, 1] | select('==', 1)", [1, 1]),
        ("[1, 2, 1] | select('ne', 1)", [2]),
        ("[1, none, 3] | select('>', 1)", [3]),
        ("[{'a': 1}, {'a': 0}, {}] | selectattr('a')", [{"a": 1}]),
        ("[{'a': 1}, {'a': 2}, {}] | selectattr('a', 'ne', 1)", [{"a": 2}, {}]),
        ("[{'a': {'b': 1}}] | selectattr('a.b', 'equalto', 1) | length", 1),
        ("[{'a': 5}, {}] | selectattr('a', '>=', 5)", [{"a": 5}]),
        ("{} | keys", []),
        ("{'b': 1, 'a': 2} | items", [["b", 1], ["a", 2]]),
        ("{'a': {'x': 1}} | merge({'a': {'y': 2}})", {"a": {"y": 2}}),
        ("{'a': 1, 'b': 2, 'c': 3} | pick(['a', 'b'], 'c')", {"a": 1, "b": 2, "c": 3}),
        ("{'a': 1} | pick", {}),
        ("{'a': 1} | omit", {"a": 1}),
        ("{'a': 1, 'b': 2} | omit('a', 'zzz')", {"b": 2}),
    ],
)
def test_list_and_mapping_filters(expression: str, expected: Any) -> None:
    assert value_of(expression) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("%Y-%m-%d", "2026-03-07"),
        ("%y %e %j %u %V", "26 7 066 6 10"),
        ("%A %a %B %b", "Saturday Sat March Mar"),
        ("%H:%M:%S.%f", "14:05:09.123000"),
        ("%I %p", "02 PM"),
        ("%z %:z", "-0530 -05:30"),
        ("%s", "1772912109"),
        ("100%%", "100%"),
        ("T", "T"),
        ("", ""),
    ],
)
def test_date_forms(form: str, expected: str) -> None:
    text = "2026-03-07T14:05:09.123-05:30"
    assert value_of(f"'{text}' | date_format('{form}')") == expected


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("2026-03-07", "%d/%m", "07/03"),
        ("2026-03-07T00:30:00Z", "%I %p %z", "12 AM +0000"),
        ("2026-03-07 12:30", "%I %p[%z]", "12 PM[]"),
        ("0001-01-01T00:00:00+14:00", "%Y %s", "0001 -62135647200"),
        ("9999-12-31T23:59:59", "%Y %j", "9999 365"),
        ("1970-01-01", "%s", "0"),
    ],
)
def test_dates_at_the_edges(text: str, form: str, expected: str) -> None:
    assert value_of(f"'{text}' | date_format('{form}')") == expected


def test_a_filter_changes_nothing_that_it_was_given() -> None:
    data: dict[str, Any] = {"list": [3, 1, 2], "map": {"a": 1}}
    value_of("item.list | sort", item=data)
    value_of("item.list | reverse", item=data)
    value_of("item.map | merge({'b': 2})", item=data)
    value_of("item.list | flatten(0)", item=data)
    assert data == {"list": [3, 1, 2], "map": {"a": 1}}
