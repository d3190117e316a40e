"""Shared memory of a cluster: who is alive, readable without a lock or a database.

Made before the cluster forks; every process of it sees the same page.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from enum import IntEnum

from django.conf import settings

EVERY = 0.5  # seconds between the beats of `keep`


class Mark(IntEnum):
    """Places in the page; times are monotonic seconds of this host, pids are numbers.

    `STOPPING` is set when the cluster was told to stop: nothing tells a worker inside
    a task, and django-q2 waits for it without limit.
    """

    PUSHER_BEAT = 0
    QUEUE_BEAT = 1
    TASK_BEGAN = 2
    TASK_ENDED = 3
    SENTINEL_BEAT = 4
    CLUSTER_BEGAN = 5
    TASK_PID = 6
    STOPPING = 7


_FORMAT = struct.Struct("d")
_page = mmap.mmap(-1, mmap.PAGESIZE)
_keepers: dict[Mark, int] = {}


def stale() -> float:
    """Seconds without a sign of life that mean: this process is gone or hangs."""
    return min(15.0, float(settings.LEASE))


def put(mark: Mark, value: float) -> None:
    """Set a mark."""
    _FORMAT.pack_into(_page, mark * _FORMAT.size, value)


def get(mark: Mark) -> float:
    """A mark's value; 0 when it was never set."""
    value: float = _FORMAT.unpack_from(_page, mark * _FORMAT.size)[0]
    return value


def beat(mark: Mark) -> None:
    """Set a mark to now."""
    put(mark, time.monotonic())


def keep(mark: Mark) -> None:
    """Beat from a thread for as long as this process lives, however busy it is.

    Call it as often as you like: one thread a process and mark.
    """
    if _keepers.get(mark) == os.getpid():
        return
    _keepers[mark] = os.getpid()
    beat(mark)
    threading.Thread(target=_keep, args=(mark,), name="pulse", daemon=True).start()


def _keep(mark: Mark) -> None:
    while True:
        beat(mark)
        time.sleep(EVERY)


def age(mark: Mark) -> float:
    """Seconds since a mark was beaten; infinite when it never was."""
    value = get(mark)
    return time.monotonic() - value if value else float("inf")


def clear() -> None:
    """Forget everything, before a new group of processes starts."""
    for mark in Mark:
        put(mark, 0.0)
