"""The table of filters, and what they share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workflows.expressions.errors import RenderError
from workflows.expressions.evaluation import Evaluation
from workflows.expressions.values import (
    MAX_INTEGER,
    a_kind,
    is_list,
    is_mapping,
    is_number,
    text_of,
)

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """A filter, and all that its documentation needs.

    `result` is what `example` evaluates to. A lazy filter gets its arguments
    unevaluated.
    """

    name: str
    signature: str
    summary: str
    example: str
    result: Any
    function: Function
    lazy: bool = False


FILTERS: dict[str, FilterSpec] = {}


def register(
    *, example: str, result: Any, name: str = "", lazy: bool = False
) -> Callable[[Function], Function]:
    """Put a function into the table; its docstring is the summary.

    The function is pure, takes the evaluation and the value first, and charges the
    evaluation before it works or builds.
    """

    def decorate(function: Function) -> Function:
        called = name or function.__name__.removesuffix("_")
        parameters = list(inspect.signature(function).parameters.values())[2:]
        shown = [_written(parameter) for parameter in parameters]
        FILTERS[called] = FilterSpec(
            name=called,
            signature=f"{called}({', '.join(shown)})" if shown else called,
            summary=inspect.getdoc(function) or "",
            example=example,
            result=result,
            function=function,
            lazy=lazy,
        )
        return function

    return decorate


def _written(parameter: inspect.Parameter) -> str:
    """The parameter as the author of a template writes it."""
    keyword = parameter.kind is parameter.KEYWORD_ONLY
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"{parameter.name}..."
    if parameter.default is parameter.empty:
        return f"{parameter.name}=..." if keyword else parameter.name
    if parameter.default is None or isinstance(parameter.default, bool):
        return f"{parameter.name}={str(parameter.default).lower()}"
    if isinstance(parameter.default, str | int):
        return f"{parameter.name}={parameter.default!r}"
    return f"{parameter.name}=..."


def need_text(evaluation: Evaluation, value: Any, what: str = "") -> str:
    """The string, or a number or boolean as text; charges its length."""
    if not isinstance(value, str) and not isinstance(value, int | float):
        raise RenderError(f"{what}needs a string, not {a_kind(value)}")
    text = text_of(evaluation, value)
    evaluation.emit(len(text))
    return text


def need_list(evaluation: Evaluation, value: Any) -> list[Any]:
    """The list; charges for a look at each item."""
    if not is_list(value):
        raise RenderError(f"needs a list, not {a_kind(value)}")
    evaluation.spend(len(value))
    return list(value)


def need_mapping(evaluation: Evaluation, value: Any) -> dict[str, Any]:
    """The mapping; charges for a look at each key."""
    if not is_mapping(value):
        raise RenderError(f"needs a mapping, not {a_kind(value)}")
    evaluation.spend(len(value))
    return dict(value)


def need_number(value: Any, what: str = "") -> int | float:
    """The number; a boolean is none."""
    if not is_number(value):
        raise RenderError(f"{what}needs a number, not {a_kind(value)}")
    number: int | float = value
    return number


def need_count(value: Any, what: str, lowest: int = 0) -> int:
    """A whole number within bounds, given as an argument."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise RenderError(f"{what} is a whole number, not {a_kind(value)}")
    if not lowest <= value <= MAX_INTEGER:
        raise RenderError(f"{what} is at least {lowest}")
    return value


def digits(value: int) -> str:
    """The number in digits; raises RenderError for more of them than Python writes."""
    try:
        return str(value)
    except ValueError:
        raise RenderError("the number is too large") from None


def encoded(text: str) -> bytes:
    """The text in UTF-8; raises RenderError for half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise RenderError("the text holds half a surrogate pair") from None
