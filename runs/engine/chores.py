"""Small work that a drain does between its turns: what is due by the clock.

Every drain does all of it, on any number of hosts: a chore takes what it works on with
SKIP LOCKED or by a guarded UPDATE, in short transactions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from django.db import Error

from automate.lib.database import is_away

logger = logging.getLogger(__name__)

# Does what is due; returns the seconds until it wants to be called again.
Chore = Callable[[], float]

PAUSE_AFTER_FAILURE = 5.0
LONGEST_PAUSE = 60.0


class Chores:
    """The chores of one drain, each with its own next moment. Not thread-safe."""

    def __init__(self, chores: Iterable[Chore]) -> None:
        self._next = dict.fromkeys(chores, 0.0)

    @property
    def due_at(self) -> float:
        """When the next chore is due, in monotonic seconds."""
        return min(self._next.values(), default=time.monotonic() + LONGEST_PAUSE)

    def run(self) -> None:
        """Do those that are due. A failure of one is logged and disturbs no other.

        Raises a database Error when the database is away.
        """
        for chore, moment in list(self._next.items()):
            if moment > time.monotonic():
                continue
            pause = PAUSE_AFTER_FAILURE
            try:
                pause = chore()
            except Exception as error:
                if isinstance(error, Error) and is_away(error):
                    raise
                logger.exception("%s failed, it is tried again", chore.__qualname__)
            self._next[chore] = time.monotonic() + min(max(pause, 0.0), LONGEST_PAUSE)
