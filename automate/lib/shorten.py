"""Large JSON trees cut down to what people read; the exact ones are kept elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NODE = 8  # what a number, a bracket or a key weighs beside its characters


def shorten(value: Any, limit: int) -> Any:
    """The tree itself when it has about `limit` characters or fewer, else its front.

    What is cut says so in its place: a text by its last words, a list by its last
    entry, an object by the key "[cut]".
    """
    if _weigh(value, limit) <= limit:
        return value
    return _Cut(limit).of(value)


def _weigh(value: Any, limit: int) -> int:
    """About how many characters it has; any number above `limit` when too many."""
    if isinstance(value, str):
        return len(value) + NODE
    total = NODE
    if isinstance(value, Mapping):
        for key, item in value.items():
            total += len(key) + _weigh(item, limit - total)
            if total > limit:
                break
    elif isinstance(value, list):
        for item in value:
            total += _weigh(item, limit - total)
            if total > limit:
                break
    return total


class _Cut:
    """Takes from the front until nothing is left of the limit."""

    def __init__(self, left: int) -> None:
        self._left = left

    def of(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        self._left -= NODE
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list):
            return self._list(value)
        return value

    def _text(self, value: str) -> str:
        keep = max(self._left, 0)
        self._left -= len(value) + NODE
        if len(value) <= keep:
            return value
        return f"{value[:keep]} [{len(value) - keep:,} more characters]".lstrip()

    def _list(self, value: list[Any]) -> list[Any]:
        taken: list[Any] = []
        for item in value:
            if self._left <= 0:
                taken.append(f"[{len(value) - len(taken):,} more]")
                break
            taken.append(self.of(item))
        return taken

    def _object(self, value: Mapping[str, Any]) -> dict[str, Any]:
        taken: dict[str, Any] = {}
        for key, item in value.items():
            if self._left <= 0:
                taken["[cut]"] = f"[{len(value) - len(taken):,} more]"
                break
            self._left -= len(key)
            taken[key] = self.of(item)
        return taken
