"""Filters on mappings."""

from __future__ import annotations

from typing import Any

from workflows.expressions.errors import RenderError
from workflows.expressions.evaluation import Evaluation
from workflows.expressions.filters.base import need_list, need_mapping, register
from workflows.expressions.values import a_kind, is_list


@register(example="{'a': 1, 'b': 2} | keys", result=["a", "b"])
def keys(evaluation: Evaluation, value: Any) -> list[str]:
    """The keys of a mapping, in their order."""
    found = list(need_mapping(evaluation, value))
    evaluation.emit(len(found))
    return found


@register(example="{'a': 1, 'b': 2} | values", result=[1, 2], name="values")
def values_(evaluation: Evaluation, value: Any) -> list[Any]:
    """The values of a mapping, in their order."""
    found = list(need_mapping(evaluation, value).values())
    evaluation.emit(len(found))
    return found


@register(example="{'a': 1} | items", result=[["a", 1]])
def items(evaluation: Evaluation, value: Any) -> list[list[Any]]:
    """The keys and values of a mapping as a list of pairs."""
    pairs = [[key, item] for key, item in need_mapping(evaluation, value).items()]
    evaluation.emit(2 * len(pairs))
    return pairs


@register(example="{'a': 1, 'b': 2} | merge({'b': 3})", result={"a": 1, "b": 3})
def merge(evaluation: Evaluation, value: Any, other: Any) -> dict[str, Any]:
    """Both mappings as one; the second one wins, and nothing deeper is merged."""
    merged = need_mapping(evaluation, value) | need_mapping(evaluation, other)
    evaluation.emit(len(merged))
    return merged


@register(example="{'a': 1, 'b': 2} | pick('a', 'c')", result={"a": 1})
def pick(evaluation: Evaluation, value: Any, *names: Any) -> dict[str, Any]:
    """The mapping with only these keys, as far as it has them."""
    wanted = _names(evaluation, names)
    mapping = need_mapping(evaluation, value)
    return {key: item for key, item in mapping.items() if key in wanted}


@register(example="{'a': 1, 'b': 2} | omit(['a'])", result={"b": 2})
def omit(evaluation: Evaluation, value: Any, *names: Any) -> dict[str, Any]:
    """The mapping without these keys."""
    unwanted = _names(evaluation, names)
    mapping = need_mapping(evaluation, value)
    return {key: item for key, item in mapping.items() if key not in unwanted}


def _names(evaluation: Evaluation, names: tuple[Any, ...]) -> set[str]:
    """The names given one by one, or in lists."""
    found: set[str] = set()
    for given in names:
        for name in need_list(evaluation, given) if is_list(given) else [given]:
            if not isinstance(name, str):
                raise RenderError(f"a key is a string, not {a_kind(name)}")
            found.add(name)
    return found
