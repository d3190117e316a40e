"""The tree of an expression in JavaScript."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class NotRead(ValueError):
    """The expression is beyond this part of the language."""


@dataclass(frozen=True, slots=True)
class Const:
    """A literal; `undefined` is None too."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`of.key`, `of[key]`; `maybe` for `?.`."""

    of: Any
    key: Any
    maybe: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    of: Any
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    sign: str
    value: Any


@dataclass(frozen=True, slots=True)
class Binary:
    sign: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Choice:
    """`test ? yes : no`."""

    test: Any
    yes: Any
    no: Any


@dataclass(frozen=True, slots=True)
class Items:
    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    pairs: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A template literal: texts and expressions in turn."""

    parts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """`name => body`."""

    name: str
    body: Any


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression between slashes."""

    body: str
    flags: str
