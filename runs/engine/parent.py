"""Not outliving one's parent: an orphan would execute unguarded."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_forking = 0  # the process that is about to fork


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when its parent ends (Linux).

    Elsewhere the drain checks `os.getppid()`. prctl(2) PR_SET_PDEATHSIG is cleared by
    fork, so each child sets it anew; one whose parent ended before that leaves here.
    """
    _prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def guard_children() -> None:
    """From now on every process forked from this one dies with its parent."""
    os.register_at_fork(before=_remember, after_in_child=_bind)


def adopt_orphans() -> None:
    """Descendants whose parent ends become children of this process (Linux).

    So it can wait for them: prctl(2) PR_SET_CHILD_SUBREAPER.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _remember() -> None:
    global _forking
    _forking = os.getpid()


def _bind() -> None:
    die_with_parent(_forking)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
