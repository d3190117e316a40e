"""Each filter: what it makes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.expressions.helpers import render_error, template_error, value_of
from workflows.expressions import FILTERS, TESTS

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


@pytest.mark.parametrize("name", sorted(TESTS))
def test_what_a_test_documents_is_so(name: str) -> None:
    spec = TESTS[name]
    assert value_of(spec.example) is spec.result
    assert f" is {name}" in spec.example
    assert spec.summary.endswith(".")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 is defined", True),
        ("trigger.payload.order.note is defined", True),
        ("trigger.payload.order.note is none", True),
        ("trigger.payload.order.note.x is defined", False),
        ("trigger.payload.nowhere.deeper is not defined", True),
        ("item is defined", False),
        ("secrets.X is undefined", True),
        ("1 is not none", True),
        ("true is number", False),
        ("1 is boolean", False),
        ("'a' is sequence", False),
        ("'a' is mapping", False),
        ("trigger is mapping", True),
        ("3 is odd", True),
        ("1 is not eq 2", True),
        ("2 is in([1, 2])", True),
        ("'a' is not in 'bcd'", True),
    ],
)
def test_tests(expression: str, expected: bool) -> None:
    assert value_of(expression) is expected


def test_a_test_refuses_what_does_not_fit() -> None:
    assert "test even: needs a whole number, not a string" in render_error(
        "'a' is even"
    )
    assert "a whole number, not a number" in render_error("1.5 is odd")
    assert "unknown test 'callable'" in template_error("1 is callable")
    assert "did you mean defined" in template_error("1 is define")
    assert template_error("1 is eq")
    assert "no such key" in render_error("trigger.nowhere is none")


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


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("none | upper", "filter upper: needs a string, not none"),
        ("[] | lower", "filter lower: needs a string, not a list"),
        ("{} | trim", "filter trim: needs a string, not a mapping"),
        ("'a' | replace('', 'x')", "filter replace: old is empty"),
        ("'a' | replace(none, 'x')", "filter replace: old needs a string, not none"),
        ("'a' | split('')", "filter split: separator is empty"),
        ("'a' | join", "filter join: needs a list, not a string"),
        ("[1] | join([])", "filter join: separator needs a string, not a list"),
        ("'a' | first", "filter first: needs a list, not a string"),
        ("[] | last", "filter last: the list is empty"),
        ("[] | min", "filter min: the list is empty"),
        ("[1, 'a'] | max", "filter max: a number and a string cannot be put in order"),
        ("[none] | min", "filter min: none and none cannot be put in order"),
        ("[1, '2'] | sum", "filter sum: each item needs a number, not a string"),
        ("[true] | sum", "filter sum: each item needs a number, not a boolean"),
        ("[1, none] | sort", "filter sort: a number and none cannot be put in order"),
        ("[{}] | sort", "filter sort: a mapping and a mapping cannot be put in order"),
        ("[{}] | sort('a')", "filter sort: an item has no such key; there are none"),
        ("[{}] | map(attribute='a')", "filter map: an item has no such key"),
        ("[1] | map(attribute='a')", "filter map: an item is a number"),
        ("[[1]] | map(attribute='5')", "filter map: an item is a list of 1"),
        ("[1] | map(attribute=1)", "filter map: attribute is a string such as"),
        ("[1] | select('like', 1)", "filter select: the comparison is one of =="),
        ("[1] | select([], 1)", "filter select: the comparison is one of =="),
        ("{} | select", "filter select: needs a list, not a mapping"),
        ("['a'] | select('<', 1)", "filter select: a string and a number cannot"),
        ("1 | length", "filter length: needs a list, a mapping or a string"),
        ("'x' | int", "filter int: this string is not a whole number"),
        ("none | int", "filter int: none is not a whole number"),
        ("[] | float", "filter float: a list is not a number"),
        ("'1e999' | float", "filter float: the number is too large"),
        ("'1e999' | int", "filter int: the number is too large"),
        ("'99999999999999999999' | int", "filter int: the number is too large"),
        ("'maybe' | bool", "filter bool: this string is neither true nor false"),
        ("[] | bool", "filter bool: a list is neither true nor false"),
        ("'1' | round", "filter round: needs a number, not a string"),
        ("1.5 | round(-1)", "filter round: precision is at least 0"),
        ("1.5 | round(16)", "filter round: precision is at most 15"),
        ("1.5 | round('1')", "filter round: precision is a whole number"),
        ("1e300 | round", "filter round: the number is too large"),
        ("true | abs", "filter abs: needs a number, not a boolean"),
        ("'a' | truncate(-1)", "filter truncate: length is at least 0"),
        ("'a' | truncate('1')", "filter truncate: length is a whole number"),
        ("[1] | flatten('x')", "filter flatten: levels is a whole number"),
        ("[1] | keys", "filter keys: needs a mapping, not a list"),
        ("{} | merge([])", "filter merge: needs a mapping, not a list"),
        ("{} | pick(1)", "filter pick: a key is a string, not a number"),
        ("{} | omit([[]])", "filter omit: a key is a string, not a list"),
        ("[1] | urlencode", "filter urlencode: needs text, not a list"),
        ("{'a': []} | urlencode", "filter urlencode: needs text, not a list"),
        ("'{' | from_json", "filter from_json: this string is not JSON"),
        ("'NaN' | from_json", "filter from_json: this string is not JSON"),
        ("'!' | b64decode", "filter b64decode: this string is not base64 of a text"),
        ("'_w' | b64decode", "filter b64decode: this string is not base64 of a text"),
        ("'a' | date_format", "filter date_format: needs a date in ISO 8601"),
        ("1 | date_format", "filter date_format: needs a date in ISO 8601"),
        ("'2026-13-01' | date_format", "filter date_format: needs a date in ISO 8601"),
        ("'2026-01-01' | date_format('%Q')", "filter date_format: the form knows only"),
        ("'2026-01-01' | date_format('%')", "filter date_format: the form knows only"),
        (
            "'2026-01-01' | date_format([])",
            "filter date_format: the form needs a string",
        ),
        ("'a' | trim('x' ~ item)", "filter trim: at most 50 characters"),
    ],
)
def test_a_filter_says_what_it_needs(expression: str, message: str) -> None:
    assert render_error(expression, item="y" * 50).startswith(message)


@pytest.mark.parametrize("name", ["b64encode", "sha256", "urlencode"])
def test_half_a_surrogate_pair_has_no_bytes(name: str) -> None:
    message = render_error(f"item | {name}", item="a\ud800")
    assert "half a surrogate pair" in message


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 | nope", "unknown filter 'nope'; there are: "),
        ("'a' | uper", "unknown filter 'uper'; did you mean upper?"),
        (
            "'a' | upper(1)",
            "filter upper: too many positional arguments; it is written",
        ),
        ("'a' | replace('b')", "filter replace: missing a required argument: 'new'"),
        (
            "'a' | truncate(len=5)",
            "filter truncate: got an unexpected keyword argument",
        ),
        ("'a' | truncate(1, length=5)", "filter truncate: multiple values"),
        ("'a' | upper(value=1)", "filter upper: multiple values"),
        ("'a' | upper(evaluation=1)", "filter upper: multiple values"),
        ("[1] | map('upper')", "filter map: too many positional arguments"),
        ("[1] | map", "filter map: missing a required"),
        ("'a' | replace(*[1, 2])", "* and ** are not part of the language"),
        ("'a' | truncate(**{'length': 1})", "* and ** are not part of the language"),
        ("'a' | upper.lower", "unknown filter 'upper.lower'"),
    ],
)
def test_a_wrong_call_is_refused_before_any_data(expression: str, message: str) -> None:
    assert template_error(expression).startswith(message)


def test_a_filter_changes_nothing_that_it_was_given() -> None:
    data: dict[str, Any] = {"list": [3, 1, 2], "map": {"a": 1}}
    value_of("item.list | sort", item=data)
    value_of("item.list | reverse", item=data)
    value_of("item.map | merge({'b': 2})", item=data)
    value_of("item.list | flatten(0)", item=data)
    assert data == {"list": [3, 1, 2], "map": {"a": 1}}
