"""JSON values as the language sees them: kinds, text, size, equality, order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from workflows.expressions.errors import RenderError
from workflows.expressions.evaluation import Evaluation

MAX_INTEGER = 10**18
MAX_NESTING = 250
_ATOM_SIZE = 8
_SEARCHED_PER_OPERATION = 256


def is_number(value: Any) -> bool:
    """Whether it is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_list(value: Any) -> bool:
    """Whether it is a list; a tuple counts as one."""
    return isinstance(value, list | tuple)


def is_mapping(value: Any) -> bool:
    """Whether it is a mapping; the scope may hold lazy ones."""
    return type(value) is dict or isinstance(value, Mapping)


def is_json(value: Any) -> bool:
    """Whether JSON has a form of it, as far as its outermost type tells."""
    return (
        value is None
        or isinstance(value, str | int | float | list | tuple)
        or is_mapping(value)
    )


def kind(value: Any) -> str:
    """The word for the type of a value in messages: "number", "list", ..."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "boolean"
    if is_number(value):
        return "number"
    if isinstance(value, str):
        return "string"
    if is_list(value):
        return "list"
    if is_mapping(value):
        return "mapping"
    return f"{type(value).__name__} (not JSON)"


def a_kind(value: Any) -> str:
    """The kind with its article, for sentences: "a list", "none"."""
    return "none" if value is None else f"a {kind(value)}"


def number_result(value: int | float) -> int | float:
    """The number, unless it left the range that every JSON reader keeps exact."""
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise RenderError("the number is too large: whole numbers go to 10^18")
    elif not -1.8e308 < value < 1.8e308:
        raise RenderError("the number is too large")
    return value


def measure(evaluation: Evaluation, value: Any) -> None:
    """Charge about the length of the value as JSON, before anything is built.

    Raises RenderError past the output limit, when it is nested too deeply, or when
    it holds something that JSON has no form of.
    """
    level = [value]
    for _ in range(MAX_NESTING):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str):
                evaluation.emit(len(item) + 2)
            elif item is None or isinstance(item, int | float):
                evaluation.emit(_atom_size(item))
            elif is_list(item):
                evaluation.emit(2 + len(item))
                inner.extend(item)
            elif is_mapping(item):
                evaluation.emit(2 + 4 * len(item))
                inner.extend(item.values())
                evaluation.emit(sum(len(str(key)) for key in item))
            else:
                raise RenderError(f"{kind(item)} cannot be used in an expression")
        if not inner:
            return
        level = inner
    raise RenderError(f"the value is nested deeper than {MAX_NESTING}")


def _atom_size(value: float | None) -> int:
    if isinstance(value, int) and not -(2**63) < value < 2**63:
        return value.bit_length() // 3
    return _ATOM_SIZE


def json_text(evaluation: Evaluation, value: Any) -> str:
    """The value as compact JSON; charges its length."""
    before = evaluation.remaining_output
    measure(evaluation, value)
    charged = before - evaluation.remaining_output
    try:
        text = json.dumps(
            value,
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            default=dict,  # lazy mappings: measure() let nothing else through
        )
    except ValueError:
        raise RenderError("it holds a number that JSON has no form of") from None
    evaluation.emit(max(0, len(text) - charged))  # escapes make it longer
    return text


def text_of(evaluation: Evaluation, value: Any) -> str:
    """The value as it stands within text; charges what it has to build.

    none is empty, booleans are true and false, lists and mappings compact JSON.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if type(value) is int and -MAX_INTEGER <= value <= MAX_INTEGER:
        return str(value)  # what JSON would say, sooner
    if type(value) is float and isfinite(value):
        return repr(value)
    return json_text(evaluation, value)


def equal(evaluation: Evaluation, left: Any, right: Any) -> bool:
    """JSON equality: 1 equals 1.0, true does not equal 1; never an error."""
    if type(left) is int and type(right) is int:
        evaluation.spend(1)
        return left == right
    pairs = [(left, right)]
    while pairs:
        left, right = pairs.pop()
        evaluation.spend(1)
        if is_list(left) and is_list(right):
            if len(left) != len(right):
                return False
            evaluation.spend(len(left))
            pairs.extend(zip(left, right, strict=True))
        elif is_mapping(left) and is_mapping(right):
            if len(left) != len(right) or any(key not in right for key in left):
                return False
            evaluation.spend(len(left))
            pairs.extend((left[key], right[key]) for key in left)
        elif not _same_atom(evaluation, left, right):
            return False
    return True


def _same_atom(evaluation: Evaluation, left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        if len(left) == len(right):
            searching(evaluation, left)
        return left == right
    if is_number(left) and is_number(right):
        return bool(left == right)
    return left is right  # none, true and false are one each


def searching(evaluation: Evaluation, text: str) -> None:
    """Charge for a look through all of a text."""
    evaluation.spend(1 + len(text) // _SEARCHED_PER_OPERATION)


def check_comparable(evaluation: Evaluation, left: Any, right: Any) -> None:
    """Raises RenderError unless both are numbers, or both strings."""
    evaluation.spend(1)
    if isinstance(left, str) and isinstance(right, str):
        searching(evaluation, left)
    elif not (is_number(left) and is_number(right)):
        raise RenderError(
            f"{a_kind(left)} and {a_kind(right)} cannot be put in order; "
            "both must be numbers or both strings"
        )


def contains(evaluation: Evaluation, where: Any, what: Any) -> bool:
    """Whether a list holds the value, a mapping the key, or a string the string."""
    if is_list(where):
        evaluation.spend(len(where))
        return any(equal(evaluation, what, item) for item in where)
    if is_mapping(where):
        evaluation.spend(1)
        return isinstance(what, str) and what in where
    if isinstance(where, str):
        if not isinstance(what, str):
            raise RenderError(f"{a_kind(what)} cannot be looked for in a string")
        searching(evaluation, where)
        return what in where
    raise RenderError(f"nothing can be looked for in {a_kind(where)}")


def truth_of(value: Any) -> bool:
    """False for none, false, zero and what is empty; true for everything else."""
    return bool(len(value)) if is_mapping(value) else bool(value)
