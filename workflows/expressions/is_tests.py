"""What may stand after `is`."""

# ruff: noqa: FBT003 - the rows of a table
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workflows.expressions import values
from workflows.expressions.errors import RenderError
from workflows.expressions.evaluation import Evaluation
from workflows.expressions.operators import COMPARISONS
from workflows.expressions.paths import MISSING


@dataclass(frozen=True, slots=True)
class IsSpec:
    """A test, and all that its documentation needs."""

    name: str
    summary: str
    example: str
    result: bool
    function: Callable[..., bool]


def _parity(remainder: int) -> Callable[[Evaluation, Any], bool]:
    def test(_evaluation: Evaluation, value: Any) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            raise RenderError(f"needs a whole number, not {values.a_kind(value)}")
        return value % 2 == remainder

    return test


def _kind(*kinds: str) -> Callable[[Evaluation, Any], bool]:
    return lambda _evaluation, value: values.kind(value) in kinds


def _specs() -> list[IsSpec]:
    return [
        IsSpec(
            "defined",
            "Whether the path leads to a value, be it none.",
            "trigger.nowhere is defined",
            False,
            lambda _evaluation, value: value is not MISSING,
        ),
        IsSpec(
            "undefined",
            "Whether the path leads nowhere.",
            "trigger.nowhere is undefined",
            True,
            lambda _evaluation, value: value is MISSING,
        ),
        IsSpec("none", "Whether it is none.", "none is none", True, _kind("none")),
        IsSpec(
            "string", "Whether it is a string.", "'a' is string", True, _kind("string")
        ),
        IsSpec(
            "number", "Whether it is a number.", "1.5 is number", True, _kind("number")
        ),
        IsSpec(
            "boolean",
            "Whether it is true or false.",
            "0 is boolean",
            False,
            _kind("boolean"),
        ),
        IsSpec(
            "mapping",
            "Whether it is a mapping.",
            "{'a': 1} is mapping",
            True,
            _kind("mapping"),
        ),
        IsSpec(
            "sequence",
            "Whether it is a list; a string is not one here.",
            "[1] is sequence",
            True,
            _kind("list"),
        ),
        IsSpec("even", "Whether 2 divides it.", "4 is even", True, _parity(0)),
        IsSpec("odd", "Whether 2 does not divide it.", "4 is odd", False, _parity(1)),
        *(_comparison(*row) for row in _COMPARISONS),
    ]


_COMPARISONS: list[tuple[str, str, str, bool]] = [
    ("eq", "eq", "1 is eq 1.0", True),
    ("equalto", "eq", "'a' is equalto 'b'", False),
    ("ne", "ne", "1 is ne 2", True),
    ("lt", "lt", "1 is lt 2", True),
    ("le", "lteq", "2 is le 2", True),
    ("gt", "gt", "1 is gt 2", False),
    ("ge", "gteq", "2 is ge 2", True),
    ("in", "in", "2 is in [1, 2]", True),
]


def _comparison(name: str, operator: str, example: str, result: bool) -> IsSpec:  # noqa: FBT001 - a row of a table
    summary = f"The same as the comparison {_SIGNS[operator]}."
    return IsSpec(name, summary, example, result, COMPARISONS[operator])


_SIGNS = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
    "in": "in",
}

TESTS: dict[str, IsSpec] = {spec.name: spec for spec in _specs()}
