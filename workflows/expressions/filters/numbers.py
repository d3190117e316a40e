"""Filters on numbers, and those that make numbers and booleans of other things."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from workflows.expressions.errors import RenderError
from workflows.expressions.evaluation import Evaluation
from workflows.expressions.filters.base import need_count, need_number, register
from workflows.expressions.values import a_kind, is_number, number_result

_NUMBER = re.compile(r"[+-]?(\d{1,400})(\.\d{0,400})?([eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST = 800
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0", ""})


@register(example="'42' | int", result=42, name="int")
def int_(_evaluation: Evaluation, value: Any, default: Any = None) -> Any:
    """The whole number in a text, or a number cut at its point; else `default`."""
    number = _parsed(value)
    if number is None:
        return _fallback(value, default, "a whole number")
    if isinstance(number, float) and not math.isfinite(number):
        raise RenderError("the number is too large")
    return number_result(int(number))


@register(example="'2.50' | float", result=2.5, name="float")
def float_(_evaluation: Evaluation, value: Any, default: Any = None) -> Any:
    """The number in a text, as a number with a point; else `default`."""
    number = _parsed(value)
    if number is None:
        return _fallback(value, default, "a number")
    try:
        return number_result(float(number))
    except OverflowError:
        raise RenderError("the number is too large") from None


def _parsed(value: Any) -> int | float | None:
    """The number in a value, or none when it holds no number."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    found = _NUMBER.fullmatch(value.strip())
    if not found:
        return None
    return float(found[0]) if found[2] or found[3] else int(found[0])


def _fallback(value: Any, default: Any, what: str) -> Any:
    if default is None:
        described = "this string" if isinstance(value, str) else a_kind(value)
        raise RenderError(f"{described} is not {what}")
    return default


@register(example="'no' | bool", result=False, name="bool")
def bool_(_evaluation: Evaluation, value: Any) -> bool:
    """true for true, yes, on, 1 and other numbers but 0; false for their opposites."""
    if value is None:
        return False
    if isinstance(value, bool) or is_number(value):
        return bool(value)
    if isinstance(value, str) and len(value) <= _LONGEST:
        word = value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    described = "this string" if isinstance(value, str) else a_kind(value)
    raise RenderError(f"{described} is neither true nor false")


@register(example="2.345 | round(2)", result=2.35, name="round")
def round_(_evaluation: Evaluation, value: Any, precision: Any = 0) -> int | float:
    """The number rounded half away from zero; a whole number without `precision`."""
    number = need_number(value)
    precision = need_count(precision, "precision")
    if precision > 15:
        raise RenderError("precision is at most 15")
    if isinstance(number, int):
        return number
    if abs(number) < 1e15:
        step = Decimal(1).scaleb(-precision)
        number = float(Decimal(repr(number)).quantize(step, ROUND_HALF_UP))
    number_result(number)
    return number_result(int(number)) if precision == 0 else number


@register(example="-3 | abs", result=3, name="abs")
def abs_(_evaluation: Evaluation, value: Any) -> int | float:
    """The number without its sign."""
    return number_result(abs(need_number(value)))
