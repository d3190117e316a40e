"""How long a drain works, and why it ends."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable
from enum import StrEnum

from django.conf import settings

SLICE = 600.0  # seconds, give or take 30 %, after which a drain makes room for the next


class Reason(StrEnum):
    """Why a drain returned."""

    SLICE = "its slice of time was over"
    STOPPED = "it was told to stop"
    MEMORY = "it reached its memory budget"
    HUNG = "a quarter of its threads hang"


class Shift:
    """One drain's; `reason` None: it goes on. `stopping` is asked often.

    After SLICE and MEMORY it claims no more, and finishes what it holds; with STOPPED
    and HUNG it begins nothing either.
    """

    def __init__(
        self, *, threads: int, seconds: float, stopping: Callable[[], bool]
    ) -> None:
        self.reason: Reason | None = None
        self._threads = threads
        self._stopping = stopping
        self._stop_asked = False
        seconds *= random.uniform(0.7, 1.3)  # noqa: S311 - spreads load
        self._ends = time.monotonic() + seconds

    def stop(self) -> None:
        """End soon; from any thread, and from a signal's handler: takes no lock."""
        self._stop_asked = True

    def look(self, hung: int) -> None:
        """See whether it is over, when so many threads hang."""
        if self._stop_asked or self._stopping():
            self.reason = Reason.STOPPED
        elif self.too_many(hung):
            self.reason = Reason.HUNG
        elif self.reason is None and time.monotonic() > self._ends:
            self.reason = Reason.SLICE
        elif self.reason is None and _memory_mib() > settings.DRAIN_MEMORY:
            self.reason = Reason.MEMORY

    def too_many(self, hung: int) -> bool:
        """True when a quarter of the threads hang."""
        return hung * 4 >= self._threads

    @property
    def may_begin(self) -> bool:
        """Whether steps of the runs that it holds may still begin."""
        return self.reason not in (Reason.STOPPED, Reason.HUNG)


def _memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
