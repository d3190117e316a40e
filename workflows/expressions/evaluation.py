"""One evaluation: what it may see, and what it may still spend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.expressions.errors import RenderError


@dataclass(frozen=True, slots=True)
class Limits:
    """What one render call may use, over all texts of its tree.

    `source` is characters of one text; `output` characters of everything that is
    built; `operations` items looked at (one also for each 256 characters searched).
    """

    source: int = 100_000
    output: int = 4_000_000
    operations: int = 500_000


DEFAULT_LIMITS = Limits()


class Evaluation:
    """The scope and the remaining budget of one render call; not for sharing."""

    __slots__ = ("_limits", "_operations", "delivered", "remaining_output", "scope")

    def __init__(self, scope: Mapping[str, Any], limits: Limits) -> None:
        self.scope = scope
        self.delivered: set[int] = set()
        self._limits = limits
        self._operations = limits.operations
        self.remaining_output = limits.output

    def spend(self, operations: int) -> None:
        """Count work before it is done; raises RenderError past the limit."""
        self._operations -= operations
        if self._operations < 0:
            raise RenderError(
                "this takes more work than an expression may do "
                f"({self._limits.operations} operations)"
            )

    def emit(self, characters: int) -> None:
        """Count text before it is built; raises RenderError past the limit."""
        self.remaining_output -= characters
        if self.remaining_output < 0:
            raise RenderError(
                "the result is larger than an expression may make "
                f"({self._limits.output} characters)"
            )


Evaluator = Callable[[Evaluation], Any]
