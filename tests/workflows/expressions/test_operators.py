"""Arithmetic, comparison and logic over JSON values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.workflows.expressions.helpers import render_error, template_error, value_of


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2", 3),
        ("7 - 10", -3),
        ("6 * 7", 42),
        ("7 / 2", 3.5),
        ("4 / 2", 2.0),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 % 3", 1),
        ("7.5 % 2", 1.5),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-index", -3),
        ("+index", 3),
        ("- - index", 3),
        ("0.1 + 0.2", 0.1 + 0.2),
        ("1_000 + 0x10", 1016),
        ("'a' + 'b'", "ab"),
        ("[1] + [2, 3]", [1, 2, 3]),
        ("'a' ~ 1 ~ none ~ true ~ [1]", "a1true[1]"),
        ("1 ~ 2", "12"),
        ("10 * 10", 100),
        ("999999999999999999 + 1", 10**18),
        ("-999999999999999999 - 1", -(10**18)),
    ],
)
def test_arithmetic(expression: str, expected: Any) -> None:
    value = value_of(expression, index=3)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'a' * 3", "a string * a number is not possible"),
        ("3 * 'a'", "a number * a string is not possible"),
        ("[1] * 3", "a list * a number is not possible"),
        ("'%s' % 1", "a string % a number is not possible"),
        ("'%s' % ['a']", "a string % a list is not possible"),
        ("'a' + 1", "a string + a number is not possible; ~ joins text"),
        ("none + 1", "none + a number is not possible; ~ joins text"),
        ("true + 1", "a boolean + a number is not possible; ~ joins text"),
        ("[1] - [1]", "a list - a list is not possible"),
        ("{} + {}", "a mapping + a mapping is not possible; ~ joins text"),
        ("1 / 0", "division by zero"),
        ("1 // 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("1.0 / 0", "division by zero"),
        ("-'a'", "only a number has a sign, not a string"),
        ("+none", "only a number has a sign, not none"),
        ("-true", "only a number has a sign, not a boolean"),
    ],
)
def test_what_cannot_be_calculated_names_both_kinds(
    expression: str, message: str
) -> None:
    assert render_error(expression) == message


@pytest.mark.parametrize(
    "expression",
    [
        "1000000000000000000 + 1",
        "1000000000 * 10000000000",
        "item * item",
        "item + 1",
        "-item",
        "item * 1.5",
        "1.5 * item",
        "item / 3",
        "3 - item",
        "index * index",
        "index / 1e-300",
        "item // 1",
    ],
)
def test_numbers_stay_within_what_every_reader_keeps_exact(expression: str) -> None:
    assert "too large" in render_error(expression, item=10**400, index=1e300)


@pytest.mark.parametrize("literal", ["1e400", "10000000000000000001", "9" * 3000])
def test_a_literal_too_large_is_refused_at_once(literal: str) -> None:
    assert "too large" in template_error(literal)


def test_a_large_number_that_is_only_passed_on_is_kept() -> None:
    assert value_of("item", item=10**4000) == 10**4000
    assert value_of("item ~ ''", item=10**4000) == str(10**4000)
    assert "JSON has no form" in render_error("item ~ ''", item=10**5000)
    assert "JSON has no form" in render_error("item ~ ''", item=math.nan)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 == 1", True),
        ("1 == 1.0", True),
        ("1 != 1.0", False),
        ("true == 1", False),
        ("false == 0", False),
        ("none == false", False),
        ("none == none", True),
        ("'1' == 1", False),
        ("'' == none", False),
        ("[] == {}", False),
        ("[1, [2.0, 'a']] == [1.0, [2, 'a']]", True),
        ("[1, true] == [1, 1]", False),
        ("[1] == [1, 2]", False),
        ("{'a': 1, 'b': [2]} == {'b': [2], 'a': 1.0}", True),
        ("{'a': 1} == {'b': 1}", False),
        ("{'a': 1} == {'a': 1, 'b': 1}", False),
        ("trigger.payload == trigger.payload", True),
        ("trigger.payload != trigger", True),
        ("1 < 2", True),
        ("2 <= 2.0", True),
        ("2.5 > 3", False),
        ("3 >= 3", True),
        ("'a' < 'b'", True),
        ("'Z' < 'a'", True),
        ("0 < 5 < 10", True),
        ("0 < 50 < 10", False),
        ("1 == 1 == 1", True),
        ("1 in [1, 2]", True),
        ("1.0 in [1, 2]", True),
        ("true in [1]", False),
        ("[1] in [[1]]", True),
        ("3 not in [1, 2]", True),
        ("'ell' in 'hello'", True),
        ("'' in 'hello'", True),
        ("'x' not in 'hello'", True),
        ("'id' in run", True),
        ("'no' in run", False),
        ("1 in run", False),
        ("[1] in run", False),
        ("none in []", False),
    ],
)
def test_comparison(expression: str, expected: bool) -> None:
    assert value_of(expression) is expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 < 'a'", "a number and a string cannot be put in order"),
        ("'a' >= 1", "a string and a number cannot be put in order"),
        ("none < 1", "none and a number cannot be put in order"),
        ("true < false", "a boolean and a boolean cannot be put in order"),
        ("[1] < [2]", "a list and a list cannot be put in order"),
        ("{} > {}", "a mapping and a mapping cannot be put in order"),
        ("1 in 'a1'", "a number cannot be looked for in a string"),
        ("1 in none", "nothing can be looked for in none"),
        ("1 in 11", "nothing can be looked for in a number"),
    ],
)
def test_an_order_between_kinds_is_refused(expression: str, message: str) -> None:
    assert render_error(expression).startswith(message)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true and true", True),
        ("true and false", False),
        ("false or true", True),
        ("not true", False),
        ("not none", True),
        ("not not 'a'", True),
        ("'' or 'fallback'", "fallback"),
        ("'value' or 'fallback'", "value"),
        ("none and 1", None),
        ("1 and 2", 2),
        ("true or trigger.nowhere", True),
        ("false and trigger.nowhere", False),
        ("'a' if true else 'b'", "a"),
        ("'a' if 0 else 'b'", "b"),
        ("'a' if false", None),
        ("'a' if true else trigger.nowhere", "a"),
        ("1 if false else 2 if false else 3", 3),
        ("not 1 == 2", True),
    ],
)
def test_logic_gives_an_operand_and_asks_no_more_than_needed(
    expression: str, expected: Any
) -> None:
    assert value_of(expression) == expected


@pytest.mark.parametrize("expression", ["2 ** 3", "10 ** 10 ** 10", "-2 ** 2"])
def test_powers_are_not_part_of_the_language(expression: str) -> None:
    assert template_error(expression) == "** is not part of the language"


def test_literals_of_lists_and_mappings() -> None:
    assert value_of("[1, 'a', none, [true]]") == [1, "a", None, [True]]
    assert value_of("(1, 2)") == [1, 2]
    assert value_of("()") == []
    assert value_of("{'a': 1, \"b\": {'c': item}}", item=2) == {"a": 1, "b": {"c": 2}}
