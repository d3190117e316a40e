"""A worker host under test: `manage.py qcluster` in real processes, and its parts."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import uuid4

import psutil
from django.conf import settings
from django.db import connection

from automate.env import BASE_DIR, database_url
from runs.models import Worker
from tests.processes import HANGS, Process, eventually, with_environment

MARK = "AUTOMATE_CHAOS"
PARENT = [sys.executable, str(Path(BASE_DIR, "manage.py")), "qcluster"]
# A lease that a machine which stands still for three seconds does not end.
LEASE, HEARTBEAT, GRACE = 6.0, 1.0, 3.0
_ROLES = {
    "worker": re.compile(r"Process-\w+ ready for work at (\d+)"),
    "monitor": re.compile(r"Process-\w+ monitoring at (\d+)"),
    "pusher": re.compile(r"Process-\w+ pushing tasks at (\d+)"),
}


def database_of_test() -> str:
    """The URL of the database that this test uses."""
    name = connection.settings_dict["NAME"]
    if settings.SQLITE:
        return f"sqlite:///{name}"
    return f"{database_url().rpartition('/')[0]}/{name}"


class Cluster:
    """A started cluster; `seats` of its workers hold drains, one is free."""

    def __init__(
        self, log: Path, command: Sequence[str] = PARENT, **changes: str | None
    ) -> None:
        self.mark = uuid4().hex
        self.seats = 1 if settings.SQLITE else 2
        self.process = Process(
            command,
            log,
            **{
                MARK: self.mark,
                "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
                "DATABASE_URL": database_of_test(),
                "AUTOMATE_ALLOWED_NETWORKS": "127.0.0.0/8",
                "AUTOMATE_LEASE": str(LEASE),
                "AUTOMATE_HEARTBEAT": str(HEARTBEAT),
                "AUTOMATE_GRACE": str(GRACE),
                "AUTOMATE_WORKERS": str(self.seats + 1),
                "AUTOMATE_THREADS": "8",
                "PYTHONPATH": str(BASE_DIR),
                "TMPDIR": str(log.parent),  # what a killed parent leaves behind
                **changes,
            },
        )
        self.pid = self.process.pid

    # --- its parts ---

    @property
    def output(self) -> str:
        return self.process.output

    def pids(self) -> set[int]:
        """Every living process of this cluster, wherever it hangs in the tree."""
        return set(with_environment(MARK, self.mark))

    def of(self, role: str) -> list[int]:
        """The living processes of a role: main, sentinel, worker, drain, free, ..."""
        alive = self.pids()
        if role == "parent":
            return [self.pid] if self.pid in alive else []
        if role == "main":
            return _children(self.of("parent"))
        if role == "sentinel":
            return _children(self.of("main"))
        if role in ("drain", "free"):
            workers = self.of("worker")
            drains = self.drains()
            return [pid for pid in workers if (pid in drains) == (role == "drain")]
        found = [int(pid) for pid in _ROLES[role].findall(self.output)]
        return [pid for pid in found if pid in alive]

    def drains(self) -> dict[int, int | None]:
        """Seats of the drains that live, by process."""
        rows = Worker.objects.filter(kind=Worker.Kind.DRAIN, pid__in=self.pids())
        return dict(rows.values_list("pid", "seat"))

    def is_whole(self) -> bool:
        """True when each part is there once, nothing else is, and seats are taken."""
        parts = [pid for role in _ROLES for pid in self.of(role)]
        parts += [*self.of("parent"), *self.of("main"), *self.of("sentinel")]
        taken = sorted(seat for seat in self.drains().values() if seat is not None)
        return (
            len(parts) == self.seats + 1 + 5
            and set(parts) == self.pids()
            and taken == list(range(self.seats))
        )

    def wait_until_whole(self, seconds: float = HANGS) -> None:
        try:
            eventually(self.is_whole, seconds)
        except AssertionError:
            roles = [*_ROLES, "parent", "main", "sentinel", "drain"]
            seen = {role: self.of(role) for role in roles}
            message = f"not whole: {seen} of {self.pids()}\n{self.output}"
            raise AssertionError(message) from None

    # --- what is done to it ---

    def kill(self, role: str) -> int:
        """SIGKILL to one process of this role; its pid."""
        pid = self.of(role)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self, seconds: float = HANGS) -> int:
        """SIGTERM to the parent; its exit status."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def end(self) -> None:
        """Nothing is left of it, whatever the test did."""
        while left := self.pids():
            send(left, signal.SIGKILL)
        self.process.kill()


def send(pids: Iterable[int], number: int) -> None:
    """The signal to each of these processes that still is there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _children(pids: Iterable[int]) -> list[int]:
    found: list[int] = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [
                child.pid
                for child in psutil.Process(pid).children()
                if child.status() != psutil.STATUS_ZOMBIE
            ]
    return found
