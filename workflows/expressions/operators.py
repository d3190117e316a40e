"""Arithmetic within bounds: numbers only, and + for two strings or two lists."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from workflows.expressions.errors import RenderError
from workflows.expressions.evaluation import Evaluation
from workflows.expressions.values import (
    a_kind,
    check_comparable,
    contains,
    equal,
    is_list,
    is_number,
    number_result,
    text_of,
)

Comparison = Callable[[Evaluation, Any, Any], bool]

_ON_NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


def arithmetic(evaluation: Evaluation, sign: str, left: Any, right: Any) -> Any:
    """The result of `left sign right`; raises RenderError for anything unfit."""
    evaluation.spend(1)
    if is_number(left) and is_number(right):
        return _calculate(sign, left, right)
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        evaluation.emit(len(left) + len(right))
        return left + right
    if sign == "+" and is_list(left) and is_list(right):
        evaluation.emit(len(left) + len(right))
        return [*left, *right]
    hint = "; ~ joins text" if sign == "+" else ""
    raise RenderError(f"{a_kind(left)} {sign} {a_kind(right)} is not possible{hint}")


def _calculate(sign: str, left: int | float, right: int | float) -> int | float:
    try:
        result: int | float = _ON_NUMBERS[sign](left, right)
    except ZeroDivisionError:
        raise RenderError("division by zero") from None
    except OverflowError:
        raise RenderError("the number is too large") from None
    return number_result(result)


def negated(evaluation: Evaluation, value: Any) -> int | float:
    """The number with the other sign."""
    return number_result(-_number(evaluation, value))


def unchanged(evaluation: Evaluation, value: Any) -> int | float:
    """The number itself, for a leading plus."""
    return _number(evaluation, value)


def _number(evaluation: Evaluation, value: Any) -> int | float:
    evaluation.spend(1)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RenderError(f"only a number has a sign, not {a_kind(value)}")
    return value


def joined(evaluation: Evaluation, values: list[Any]) -> str:
    """All values as one text; charges its length before it is built."""
    texts = []
    for value in values:
        text = text_of(evaluation, value)
        evaluation.emit(len(text))
        texts.append(text)
    return "".join(texts)


def _ordered(test: Callable[[Any, Any], bool]) -> Comparison:
    def compare(evaluation: Evaluation, left: Any, right: Any) -> bool:
        check_comparable(evaluation, left, right)
        return test(left, right)

    return compare


# By Jinja's names for them.
COMPARISONS: dict[str, Comparison] = {
    "eq": equal,
    "ne": lambda evaluation, left, right: not equal(evaluation, left, right),
    "lt": _ordered(operator.lt),
    "lteq": _ordered(operator.le),
    "gt": _ordered(operator.gt),
    "gteq": _ordered(operator.ge),
    "in": lambda evaluation, left, right: contains(evaluation, right, left),
    "notin": lambda evaluation, left, right: not contains(evaluation, right, left),
}
