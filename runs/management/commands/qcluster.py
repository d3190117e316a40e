"""`manage.py qcluster`: django-q2's cluster under a thin parent that notices.

The cluster runs in a child process group. Each second the parent looks at its main
process, the sentinel, the pusher's beat and a task that passes through queue and
monitor. When one is gone it ends the group and starts a new one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from runs.engine import pulse, seats
from runs.engine.parent import die_with_parent, guard_children

logger = logging.getLogger("runs.qcluster")

STALE = 15.0  # seconds without a sign of life that mean: start the group anew
START = 30.0  # seconds that a new group has for its first one
LOOK = 1.0


class Command(BaseCommand):
    help = "Run a worker host: drains and background tasks. Ctrl-C stops it cleanly."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("-n", "--name", help="Another django-q2 queue name.")

    def handle(self, **options: Any) -> None:
        if options["name"]:
            os.environ["Q_CLUSTER_NAME"] = options["name"]
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

    def run(self) -> None:
        """Until SIGTERM or SIGINT; returns when the last group has ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            self._start()
            why = self._watch()
            if self._stopping:
                break
            logger.error("%s: starting the cluster's processes anew", why)
            self._end(settings.GRACE)
        self._end(settings.GRACE + 5)

    def _stop(self, *_: Any) -> None:
        self._stopping = True

    def _start(self) -> None:
        connections.close_all()
        pulse.clear()
        pulse.beat(pulse.Mark.CLUSTER_BEGAN)
        self._main = os.fork()
        if self._main == 0:
            code = 1
            try:
                os.setpgid(0, 0)
                _cluster()
                code = 0
            except BaseException:
                logger.exception("the cluster's main process failed")
            finally:
                logging.shutdown()
                os._exit(code)
        with contextlib.suppress(OSError):
            os.setpgid(self._main, self._main)

    def _watch(self) -> str:
        """Returns when the group is not whole any more, with what is missing."""
        while not self._stopping:
            time.sleep(LOOK)
            why = self._missing()
            if why:
                return why
        return "stopping"

    def _missing(self) -> str:
        if not _alive(self._main):
            return "the cluster's main process has ended"
        sentinel = int(pulse.get(pulse.Mark.SENTINEL_PID))
        if sentinel and not _alive(sentinel):
            return "the sentinel has ended"
        young = pulse.age(pulse.Mark.CLUSTER_BEGAN) < START
        if pulse.age(pulse.Mark.PUSHER_BEAT) > STALE and not young:
            return "the pusher is silent"
        if pulse.age(pulse.Mark.QUEUE_BEAT) > STALE and not young and not _task_runs():
            return "no task passes through the queue"
        return ""

    def _end(self, grace: float) -> None:
        """SIGTERM to main, which stops the cluster gracefully; SIGKILL to the rest."""
        if not self._main:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._main, signal.SIGTERM)
        until = time.monotonic() + grace
        while _alive(self._main) and time.monotonic() < until:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._main, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._main, 0)
        self._main = 0


def _cluster() -> None:
    """The cluster's main process: django-q2's own, until it is told to stop."""
    die_with_parent()
    guard_children()
    from django_q.cluster import Cluster

    from runs.tasks import ensure_schedules

    ensure_schedules()
    connections.close_all()
    cluster = Cluster()
    cluster.start()
    while cluster.sentinel is not None and cluster.sentinel.is_alive():
        cluster.sentinel.join(timeout=1.0)


def _alive(pid: int) -> bool:
    """True for a process that runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _signalable(pid)
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def _signalable(pid: int) -> bool:
    if Path("/proc/self").exists():
        return False
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False


def _task_runs() -> bool:
    """True while an ordinary task keeps the free worker busy: no beat can pass."""
    began, ended = pulse.get(pulse.Mark.TASK_BEGAN), pulse.get(pulse.Mark.TASK_ENDED)
    limit = settings.Q_CLUSTER["timeout"] + STALE
    busy = began > ended and pulse.age(pulse.Mark.TASK_BEGAN) < limit
    return busy and _alive(int(pulse.get(pulse.Mark.TASK_PID)))
