"""What filters refuse: values that do not fit, and wrong calls."""

from __future__ import annotations

import pytest

from tests.workflows.expressions.helpers import render_error, template_error


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
