"""Where a config holds conditions: fields, which are expressions without braces too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Keys = tuple[str | int, ...]


def condition_places(value: Any, fields: Iterable[str]) -> Iterator[Keys]:
    """The keys that lead to each condition there is in a tree.

    A field is a path such as "condition" or "cases.*.condition", where `*` stands for
    every entry of a list.
    """
    for field in fields:
        yield from _matching(value, tuple(field.split(".")), ())


def _matching(value: Any, path: tuple[str, ...], keys: Keys) -> Iterator[Keys]:
    if not path:
        yield keys
    elif path[0] == "*":
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _matching(item, path[1:], (*keys, index))
    elif isinstance(value, dict) and path[0] in value:
        yield from _matching(value[path[0]], path[1:], (*keys, path[0]))


def replaced(value: Any, keys: Keys, change: Callable[[Any], Any]) -> Any:
    """A copy of the tree with another value at this place; the rest is shared."""
    if not keys:
        return change(value)
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    copy[keys[0]] = replaced(value[keys[0]], keys[1:], change)
    return copy
