"""Filters on lists."""

from __future__ import annotations

from typing import Any

from workflows.expressions.errors import MissingError, RenderError
from workflows.expressions.evaluation import Evaluation
from workflows.expressions.filters.base import (
    digits,
    need_count,
    need_list,
    need_number,
    need_text,
    register,
)
from workflows.expressions.operators import COMPARISONS
from workflows.expressions.paths import MISSING, NoMemberError, member
from workflows.expressions.values import (
    a_kind,
    check_comparable,
    is_list,
    is_mapping,
    measure,
    number_result,
    truth_of,
)


@register(example="[1, 2, 3] | length", result=3)
def length(_evaluation: Evaluation, value: Any) -> int:
    """How many items, keys or characters there are."""
    if is_list(value) or is_mapping(value) or isinstance(value, str):
        return len(value)
    raise RenderError(f"needs a list, a mapping or a string, not {a_kind(value)}")


@register(example="[1, 2, 3] | first", result=1)
def first(_evaluation: Evaluation, value: Any) -> Any:
    """The first item of a list; `default` covers the empty one."""
    return _end(value, 0)


@register(example="[1, 2, 3] | last", result=3)
def last(_evaluation: Evaluation, value: Any) -> Any:
    """The last item of a list; `default` covers the empty one."""
    return _end(value, -1)


def _end(value: Any, index: int) -> Any:
    if not is_list(value):
        raise RenderError(f"needs a list, not {a_kind(value)}")
    if not value:
        raise MissingError("the list is empty")
    return value[index]


@register(example="[3, 1, 2] | min", result=1, name="min")
def min_(evaluation: Evaluation, value: Any) -> Any:
    """The smallest of a list of numbers or of strings."""
    return _ordered(evaluation, value)[0]


@register(example="[3, 1, 2] | max", result=3, name="max")
def max_(evaluation: Evaluation, value: Any) -> Any:
    """The largest of a list of numbers or of strings."""
    return _ordered(evaluation, value)[-1]


def _ordered(evaluation: Evaluation, value: Any) -> list[Any]:
    items = need_list(evaluation, value)
    if not items:
        raise MissingError("the list is empty")
    _check_one_kind(evaluation, items)
    return [min(items), max(items)]


@register(example="[1, 2.5] | sum", result=3.5, name="sum")
def sum_(evaluation: Evaluation, value: Any) -> int | float:
    """All numbers of a list added up; 0 for an empty one."""
    total: int | float = 0
    for item in need_list(evaluation, value):
        try:
            total = number_result(total + need_number(item, "each item "))
        except OverflowError:
            raise RenderError("the number is too large") from None
    return total


@register(
    example="[{'n': 2}, {'n': 1}] | sort(attribute='n') | map(attribute='n')",
    result=[1, 2],
)
def sort(
    evaluation: Evaluation, value: Any, attribute: Any = None, *, reverse: Any = False
) -> list[Any]:
    """The list of numbers or strings in order, or in the order of an attribute."""
    items = need_list(evaluation, value)
    keys = items
    if attribute is not None:
        keys = [_attribute(evaluation, item, attribute) for item in items]
    _check_one_kind(evaluation, keys)
    evaluation.emit(len(items))
    evaluation.spend(len(items) * len(items).bit_length() // 4)
    backwards = truth_of(reverse)
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=backwards)
    return [items[index] for index in order]


def _check_one_kind(evaluation: Evaluation, items: list[Any]) -> None:
    for left, right in zip(items, items[1:] or items, strict=False):
        check_comparable(evaluation, left, right)


@register(example="[1, 2, 1, 1.0] | unique", result=[1, 2])
def unique(evaluation: Evaluation, value: Any) -> list[Any]:
    """The list without what equals an earlier item."""
    found: dict[Any, Any] = {}
    items = need_list(evaluation, value)
    evaluation.spend(3 * len(items))
    for item in items:
        measure(evaluation, item)
        found.setdefault(_frozen(item), item)
    return list(found.values())


def _frozen(value: Any) -> Any:
    """Something hashable that is the same for equal values; their depth is bounded.

    Numbers become text: a sender can find numbers of one hash, but no such texts.
    """
    if is_mapping(value):
        pairs = []
        for key, item in value.items():
            pairs.append((key, _frozen(item)))
        return frozenset(pairs)
    if is_list(value):
        items = []
        for item in value:
            items.append(_frozen(item))
        return tuple(items)
    if isinstance(value, str):
        return f"'{value}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return digits(value) if type(value) is int else repr(value)


@register(example="[1, 2, 3] | reverse", result=[3, 2, 1])
def reverse(evaluation: Evaluation, value: Any) -> list[Any] | str:
    """The list, or the text, from its end to its start."""
    if isinstance(value, str):
        return need_text(evaluation, value)[::-1]
    items = need_list(evaluation, value)
    evaluation.emit(len(items))
    return items[::-1]


@register(example="[[1], 2, [[3]]] | flatten", result=[1, 2, [3]])
def flatten(evaluation: Evaluation, value: Any, levels: Any = 1) -> list[Any]:
    """The list with the items of the lists in it, one level deep or more."""
    items = need_list(evaluation, value)
    for _ in range(min(need_count(levels, "levels"), 20)):
        flat: list[Any] = []
        for item in items:
            if is_list(item):
                evaluation.spend(len(item))
                evaluation.emit(len(item))
                flat.extend(item)
            else:
                flat.append(item)
        evaluation.spend(len(flat))
        items = flat
    return items


@register(
    example="[{'a': {'b': 1}}, {'a': {'b': 2}}] | map(attribute='a.b')",
    result=[1, 2],
    name="map",
)
def map_(
    evaluation: Evaluation, value: Any, *, attribute: Any, default: Any = MISSING
) -> list[Any]:
    """The attribute of each item, `default` where there is none."""
    items = need_list(evaluation, value)
    evaluation.emit(len(items))
    return [_attribute(evaluation, item, attribute, default) for item in items]


def _attribute(
    evaluation: Evaluation, item: Any, attribute: Any, default: Any = MISSING
) -> Any:
    """What an attribute such as "a.b" or "0.name" leads to."""
    if not isinstance(attribute, str) or len(attribute) > 200:
        raise RenderError("attribute is a string such as 'a.b'")
    for key in attribute.split("."):
        evaluation.spend(1)
        index = is_list(item) and key.isascii() and key.isdigit() and len(key) < 10
        try:
            item = member(item, int(key) if index else key)
        except NoMemberError as error:
            if default is not MISSING:
                return default
            raise MissingError(f"an item {_why(error)}") from None
    return item


def _why(error: NoMemberError) -> str:
    return f"{error.reason}; {error.keys}" if error.keys else error.reason


@register(example="[1, 2, 3] | select('ge', 2)", result=[2, 3])
def select(
    evaluation: Evaluation, value: Any, test: Any = None, other: Any = None
) -> list[Any]:
    """The items that are true, or that compare so (== != < <= > >=, eq, ne, ...)."""
    items = need_list(evaluation, value)
    evaluation.emit(len(items))
    return [item for item in items if _holds(evaluation, item, test, other)]


@register(
    example="[{'s': 'new'}, {'s': 'old'}, {}] | selectattr('s', '==', 'new')",
    result=[{"s": "new"}],
)
def selectattr(
    evaluation: Evaluation,
    value: Any,
    attribute: Any,
    test: Any = None,
    other: Any = None,
) -> list[Any]:
    """The items whose attribute is true, or compares so; without it, it is none."""
    items = need_list(evaluation, value)
    evaluation.emit(len(items))
    return [
        item
        for item in items
        if _holds(
            evaluation, _attribute(evaluation, item, attribute, None), test, other
        )
    ]


_TESTS = {
    "==": "eq", "eq": "eq", "equalto": "eq", "!=": "ne", "ne": "ne",
    "<": "lt", "lt": "lt", "<=": "lteq", "le": "lteq",
    ">": "gt", "gt": "gt", ">=": "gteq", "ge": "gteq",
}  # fmt: skip


def _holds(evaluation: Evaluation, value: Any, test: Any, other: Any) -> bool:
    evaluation.spend(1)
    if test is None:
        return truth_of(value)
    if not isinstance(test, str) or test not in _TESTS:
        raise RenderError(f"the comparison is one of {', '.join(_TESTS)}")
    if value is None and _TESTS[test] not in ("eq", "ne"):
        return False
    return COMPARISONS[_TESTS[test]](evaluation, value, other)
