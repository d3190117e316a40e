"""Not outliving one's parent: an orphan would execute unguarded."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when its parent ends (Linux).

    Elsewhere the drain checks `os.getppid()`. prctl(2) PR_SET_PDEATHSIG is cleared by
    fork, so each child sets it anew.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def guard_children() -> None:
    """From now on every process forked from this one dies with its parent."""
    os.register_at_fork(after_in_child=die_with_parent)
