"""What can go wrong with an expression; no message ever holds a value."""

from __future__ import annotations

import re

_PLAIN_KEY = re.compile(r"[\w-]+")


class ExpressionError(ValueError):
    """A message for the author, and the place in the tree where the text stands."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path = ""

    def inside(self, key: str | int) -> None:
        """Say that the place so far lies within `key`: "X" becomes "headers.X"."""
        outer = member_text(key).removeprefix(".")
        joint = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{outer}{joint}{self.path}"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class TemplateError(ExpressionError):
    """The text itself is wrong: it can never be evaluated."""


class RenderError(ExpressionError):
    """The text is right, but not with these data."""


class MissingError(RenderError):
    """A path leads nowhere; what `default` and `is defined` wait for."""


def member_text(key: str | int) -> str:
    """How a key is written behind a path: `.name`, `["other name"]` or `[0]`."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else f'["{key}"]'
