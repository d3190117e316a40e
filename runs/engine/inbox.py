"""What reaches a drain from other threads: results of its steps, and wake-ups."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from runs.engine.task import Interrupted, Result
from workflows.actions.outcomes import Fail
from workflows.services import noted


class Inbox:
    """Results in the order in which they came; `woken` when something may be due.

    `deliver` and `wake` are for any thread, the rest for the drain's own.
    """

    def __init__(self) -> None:
        self.results: deque[Result] = deque()
        self.woken = True
        self._changed = threading.Condition()
        self._cut_off = False

    def wake(self) -> None:
        """Something may be due."""
        with self._changed:
            self.woken = True
            self._changed.notify()

    def deliver(self, result: Result) -> None:
        """A step thread has performed its task."""
        if self._cut_off and _may_be_our_doing(result):
            result = replace(result, outcome=Interrupted())
        elif isinstance(result.outcome, Fail) and result.outcome.gone is not None:
            noted.gone(result.outcome.gone)
        with self._changed:
            self.results.append(result)
            self._changed.notify()

    def expect_cut_off(self) -> None:
        """Requests get cut off now: that one fails says nothing of its receiver."""
        self._cut_off = True

    def take(self, most: int) -> list[Result]:
        """The first results, `most` at the most."""
        taken: list[Result] = []
        while self.results and len(taken) < most:
            taken.append(self.results.popleft())
        return taken

    def put_back(self, results: Sequence[Result]) -> None:
        """These were taken and not stored: before all others, in their order."""
        self.results.extendleft(reversed(results))

    def wait(self, seconds: float, *, wakes: bool) -> bool:
        """Sleep until something comes, or so long; False where there was no need.

        There is none with a result, nor with an earlier wake-up where `wakes`.
        """
        with self._changed:
            if self.results or (self.woken and wakes):
                return False
            self._changed.wait(seconds)
        return True


def _may_be_our_doing(result: Result) -> bool:
    """True for a request that failed without an answer, as one does that we cut off.

    It does not count as a try of the step's: only what the receiver said counts.
    """
    attempt = getattr(result.outcome, "attempt", None)
    return attempt is not None and attempt.response_status is None
