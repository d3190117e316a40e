"""Seats: a drain holds a numbered one by `flock`, which the kernel frees on kill -9."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection

HAND_OUT_AGAIN = 10.0  # seconds after which a seat handed out and not taken is offered
# `is_free` holds the lock for a moment; a drain must not take that for a neighbour.
TRIES = 5
PAUSE = 0.01


def count() -> int:
    """Drains of this cluster: one worker stays free for ordinary tasks."""
    return 1 if connection.vendor == "sqlite" else settings.WORKERS - 1


_folder: Path | None = None


def use_folder(folder: Path | None) -> None:
    """Where this cluster's seats are, for it and all that it forks."""
    global _folder
    _folder = folder


def folder() -> Path:
    """The folder of seat locks; a new one when none was set before the fork."""
    global _folder
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix="automate-seats-"))
    return _folder


@contextlib.contextmanager
def taken(number: int, tries: int = TRIES) -> Iterator[bool]:
    """Hold the seat; False when another process of this cluster sits in it."""
    folder().mkdir(parents=True, exist_ok=True)  # something may clean /tmp
    descriptor = os.open(folder() / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _locked(descriptor, tries)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, tries: int) -> bool:
    for left in reversed(range(tries)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(PAUSE)
        else:
            return True
    return False


def is_free(number: int) -> bool:
    """True when nobody sits in it at this moment."""
    with taken(number, tries=1) as ours:
        return ours


class HandOut:
    """Which seats to offer now: free ones, not offered within the last 10 s."""

    def __init__(self) -> None:
        self._offered: dict[int, float] = {}

    def next_seats(self) -> list[int]:
        """Numbers of seats to hand out as drain tasks."""
        now = time.monotonic()
        seats = []
        for number in range(count()):
            if not is_free(number):
                self._offered.pop(number, None)
            elif now - self._offered.get(number, -HAND_OUT_AGAIN) >= HAND_OUT_AGAIN:
                self._offered[number] = now
                seats.append(number)
        return seats
