"""Keeping a forking server small: pages that stay shared, heaps that do not scatter."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys

M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
ARENAS = 2
LARGE = 1024 * 1024


def before_fork() -> None:
    """Call once everything is imported and before the children are forked.

    What exists now is taken out of the garbage collector's rounds, which would write
    to every object and so unshare its page. glibc is told to use two heaps instead
    of eight a core: with many threads the default keeps tens of MiB half empty.
    Buffers above 1 MiB are given back when they are freed; by default they are not any
    more after the first of them.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # musl has one heap
            libc = ctypes.CDLL(None)
            libc.mallopt(M_ARENA_MAX, ARENAS)
            libc.mallopt(M_MMAP_THRESHOLD, LARGE)
    gc.collect()
    gc.freeze()
