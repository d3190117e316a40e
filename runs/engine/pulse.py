"""Shared memory of a cluster: who is alive, readable without a lock or a database.

Made before the cluster forks; every process of it sees the same page.
"""

from __future__ import annotations

import mmap
import struct
import time
from enum import IntEnum


class Mark(IntEnum):
    """Places in the page: monotonic seconds of this host, or pids."""

    PUSHER_BEAT = 0
    QUEUE_BEAT = 1
    TASK_BEGAN = 2
    TASK_ENDED = 3
    SENTINEL_PID = 4
    CLUSTER_BEGAN = 5
    TASK_PID = 6


_FORMAT = struct.Struct("d")
_page = mmap.mmap(-1, mmap.PAGESIZE)


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


def age(mark: Mark) -> float:
    """Seconds since a mark was beaten; infinite when it never was."""
    value = get(mark)
    return time.monotonic() - value if value else float("inf")


def clear() -> None:
    """Forget everything, before a new group of processes starts."""
    for mark in Mark:
        put(mark, 0.0)
