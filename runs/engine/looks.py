"""When a drain looks into the queue: for due runs, and for suspects to run alone."""

from __future__ import annotations

import random
import time
from datetime import datetime

from django.conf import settings

from runs.engine.due import next_due

SUSPECTS_EVERY = 2.0
CONTENDED = (0.005, 0.02)  # seconds after which a contended claim is made again


class Looks:
    """The moments of one drain's claims, by the monotonic clock.

    While `quiet` it claims nothing until its hands are empty: a suspect runs alone.
    """

    def __init__(self, *, gives_way: bool) -> None:
        self.claim_at = 0.0
        self.quiet = False
        self._gives_way = gives_way
        self._suspects_at = 0.0
        self._queue_at = 0.0

    def claimed(
        self, *, full: bool, since: datetime, busy: bool, contended: bool = False
    ) -> None:
        """A claim has been made: when the next one follows.

        `full`: it dealt with as many as it asked for. `since` is the database's time of
        it. `contended`: it passed something over that another one was deciding on.
        """
        now = time.monotonic()
        if full and now < self._queue_at:
            self.claim_at = now
            return
        self._queue_at = now + SUSPECTS_EVERY  # also with a queue that is never empty
        look = next_due(since)
        pause = 0.0 if full else min(settings.POLL, look.seconds)
        if contended:
            pause = min(pause, random.uniform(*CONTENDED))  # noqa: S311 - spreads load
        self.claim_at = now + pause
        # One drain a host gives way to a suspect; the others go on meanwhile.
        if look.suspects and self._gives_way and busy:
            self.quiet = True
            self._suspects_at = 0.0

    def wants_suspect(self) -> bool:
        """With empty hands: whether to look for a suspect now."""
        self.quiet = False
        now = time.monotonic()
        if now < self._suspects_at:
            return False
        self._suspects_at = now + SUSPECTS_EVERY
        return True

    def found_suspect(self, *, busy: bool) -> None:
        """One was taken; the next one follows at once."""
        self.quiet = busy
        self._suspects_at = 0.0
