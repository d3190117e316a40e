"""`manage.py qcluster`: django-q2's cluster under a thin parent that notices.

The cluster runs in a child process group. Each second the parent looks at its main
process, the beats of sentinel and pusher, and a task that passes through queue and
monitor. When one is gone it ends the group and starts a new one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error, connections

from automate.lib import memory
from runs.engine import parent, pulse, seats

logger = logging.getLogger("runs.qcluster")

LOOK = 1.0
AFTER_GRACE = 5.0  # seconds beyond the drains' grace time to hand back and to end
LONGEST_PAUSE = 15.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Command(BaseCommand):
    help = "Run a worker host: drains and background tasks. Ctrl-C stops it cleanly."

    def handle(self, **options: Any) -> None:
        folder = Path(tempfile.mkdtemp(prefix="automate-seats-"))
        seats.use_folder(folder)
        try:
            Parent().run()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class Parent:
    """Starts a group of cluster processes and replaces it when it is not whole."""

    def __init__(self) -> None:
        self._stopping = False
        self._main = 0
        self._code: int | None = None
        self._missed = 0
        self._failures = 0
        self._wake, self._woken = os.pipe()

    def run(self) -> None:
        """Until SIGTERM or SIGINT; returns when the last group has ended."""
        parent.adopt_orphans()
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while not self._stopping:
            self._start()
            why = self._watch()
            if self._stopping:
                break
            logger.error("%s: starting the cluster's processes anew", why)
            self._end(gentle=False)
            self._sleep(self._pause())
        self._end(gentle=True)

    def _stop(self, *_: Any) -> None:
        self._stopping = True
        pulse.put(pulse.Mark.STOPPING, 1.0)

    def _sleep(self, seconds: float) -> None:
        """Or until a signal, a child's end among them."""
        if seconds > 0 and select.select([self._wake], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)

    def _pause(self) -> float:
        """A group that ends at once, as without a database, is tried less often."""
        lasted = pulse.age(pulse.Mark.CLUSTER_BEGAN)
        self._failures = 0 if lasted > pulse.stale() else self._failures + 1
        return min(0.5 * 2**self._failures, LONGEST_PAUSE) if self._failures else 0.0

    # --- the group ---

    def _start(self) -> None:
        connections.close_all()
        pulse.clear()
        pulse.beat(pulse.Mark.CLUSTER_BEGAN)
        self._missed, self._code = 0, None
        us = os.getpid()
        memory.before_fork()
        # No signal may meet the child before its own handlers are there.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        self._main = os.fork()
        if self._main == 0:
            _be_main(us)
        with contextlib.suppress(OSError):
            os.setpgid(self._main, self._main)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _watch(self) -> str:
        """Returns when the group is not whole any more, with what is missing."""
        while not self._stopping:
            self._sleep(LOOK)
            self._is_empty()
            if self._code == 0:  # somebody told the main process itself to stop
                self._stop()
            elif self._code is not None:
                return "the cluster's main process has ended"
            why = _silent()
            # Between two ordinary tasks there is a moment when none seems to run.
            self._missed = self._missed + 1 if why else 0
            if self._missed > 1:
                return why
        return "stopping"

    def _is_empty(self) -> bool:
        """Take in what has ended; True when nothing is left of the group."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-self._main, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self._main:
                    self._code = os.waitstatus_to_exitcode(status)
        try:
            os.killpg(self._main, 0)
        except (ProcessLookupError, PermissionError):
            return True
        return False

    def _end(self, *, gentle: bool) -> None:
        """Ask for an end, wait out the grace time, SIGKILL what is left.

        Gently, SIGTERM goes to the main process, which stops the cluster in order. A
        group that is not whole may not be able to: there each process is told, drains
        finish what is in flight and idle workers end at once.
        """
        if not self._main:
            return
        pulse.put(pulse.Mark.STOPPING, 1.0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            tell = os.kill if gentle else os.killpg
            tell(self._main, signal.SIGTERM)
        if not self._emptied(settings.GRACE + AFTER_GRACE):
            logger.error("some processes of the cluster did not end: killing them")
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._main, signal.SIGKILL)
            self._emptied(AFTER_GRACE)
        self._main = 0

    def _emptied(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self._is_empty():
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True


def _silent() -> str:
    """What of the cluster gives no sign of life; empty when all is well."""
    stale = pulse.stale()
    if pulse.age(pulse.Mark.CLUSTER_BEGAN) < 2 * stale:
        return ""
    # The sentinel may wait for the database, where its schedules are.
    if pulse.age(pulse.Mark.SENTINEL_BEAT) > 4 * stale:
        return "the sentinel is silent"
    if pulse.age(pulse.Mark.PUSHER_BEAT) > stale:
        return "the pusher is silent"
    if pulse.age(pulse.Mark.QUEUE_BEAT) > stale and not _task_runs():
        return "no task passes through the queue"
    return ""


def _task_runs() -> bool:
    """True while an ordinary task keeps the free worker busy: no beat can pass."""
    began, ended = pulse.get(pulse.Mark.TASK_BEGAN), pulse.get(pulse.Mark.TASK_ENDED)
    limit = settings.Q_CLUSTER["timeout"] + pulse.stale()
    busy = began > ended and pulse.age(pulse.Mark.TASK_BEGAN) < limit
    return busy and _alive(int(pulse.get(pulse.Mark.TASK_PID)))


def _alive(pid: int) -> bool:
    """True for a process that exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# --- in the child: the cluster's main process ---


def _be_main(us: int) -> None:
    """Never returns. Exit status 0: it was told to stop, and has."""
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        parent.die_with_parent(us)
        parent.guard_children()
        code = _cluster()
    except Error as error:
        logger.error("the database cannot be used: %s", error)
    except BaseException:
        logger.exception("the cluster's main process failed")
    finally:
        logging.shutdown()
        os._exit(code)


def _cluster() -> int:
    """django-q2's own cluster, until it is told to stop."""
    from django_q.cluster import Cluster

    from runs.tasks import ensure_schedules

    told = False

    def stop(*_: Any) -> None:
        nonlocal told
        told = True
        pulse.put(pulse.Mark.STOPPING, 1.0)

    cluster = Cluster()
    for number in STOP_SIGNALS:
        signal.signal(number, stop)  # django-q2's handler waits in it without limit
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    ensure_schedules()
    connections.close_all()
    cluster.start()
    while cluster.sentinel.is_alive() and not told:
        cluster.sentinel.join(timeout=0.2)
    if cluster.sentinel.is_alive():
        # In a thread: `set` waits for the sentinel to wake, which may end just now.
        threading.Thread(target=cluster.stop_event.set, daemon=True).start()
        cluster.sentinel.join(timeout=settings.GRACE + AFTER_GRACE)
    if cluster.sentinel.is_alive():  # perhaps our parent is gone: nobody else ends it
        logger.error("the cluster does not stop: killing it")
        os.killpg(0, signal.SIGKILL)
    time.sleep(0.1)  # a signal to all of us ends the sentinel first
    return 0 if told else 1
