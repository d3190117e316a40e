"""Write transactions that behave alike on PostgreSQL and SQLite."""

from __future__ import annotations

import fcntl
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

logger = logging.getLogger(__name__)
T = TypeVar("T")

# 40001 serialization failure, 40P01 deadlock, 55P03 lock time-out.
REPEATABLE = ("40001", "40P01", "55P03")


class _SharedLock:
    """One writer at a time over all processes of this host, first come first served.

    SQLite's busy handler is unfair: it sleeps and tries again, so that a heartbeat
    can starve beside steady writers. The kernel wakes `flock` waiters in order.
    """

    def __init__(self) -> None:
        self._thread_lock = threading.Lock()
        self._pid = 0
        self._fd = -1

    @contextmanager
    def held(self, path: str) -> Iterator[None]:
        with self._thread_lock:
            if self._pid != os.getpid():  # a lock inherited over fork is the parent's
                self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                self._pid = os.getpid()
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._fd, fcntl.LOCK_UN)


_writer = _SharedLock()


def _after_fork() -> None:
    _writer.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def write_transaction() -> Iterator[None]:
    """A transaction that will write; on SQLite after queueing for its one writer.

    Inside an open transaction it is a savepoint-free part of that one.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic(savepoint=False):
            yield
        return
    name = str(connection.settings_dict["NAME"])
    if name == ":memory:" or "mode=memory" in name:
        with transaction.atomic(savepoint=False):
            yield
        return
    with _writer.held(f"{name}.writer"), transaction.atomic(savepoint=False):
        yield


def is_away(error: BaseException) -> bool:
    """True for a lost, refused or overloaded connection; False for bad data and bugs.

    PostgreSQL reports rows that are too large (class 54) under the same exception.
    """
    if isinstance(error, InterfaceError):
        return True
    state = getattr(error.__cause__, "sqlstate", None) or ""
    return isinstance(error, OperationalError) and not state.startswith("54")


def tune_sessions(**parameters: str | int) -> None:
    """From now on, this process's new PostgreSQL sessions have these parameters.

    Nothing on SQLite, nor behind a transaction pooler, whose sessions are not ours.
    """
    if connection.vendor != "postgresql" or not settings.LISTEN:
        return
    options = connection.settings_dict["OPTIONS"]
    known = options.get("options", "")
    words = [f"-c {name}={value}" for name, value in parameters.items()]
    added = [word for word in words if word not in known]
    if added:
        options["options"] = " ".join([known, *added]).strip()
        connection.close()


def is_repeatable(error: BaseException) -> bool:
    """True when the database chose this transaction as a victim: simply repeat it."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None)
    return isinstance(error, OperationalError) and state in REPEATABLE


def repeat(work: Callable[[], T], *, tries: int = 5) -> T:
    """`work()`, again after a deadlock or serialization failure."""
    number = 0
    while True:
        number += 1
        try:
            return work()
        except OperationalError as error:
            if number == tries or not is_repeatable(error):
                raise
            logger.warning("repeating a transaction after %s", error.__cause__)
            time.sleep(random.uniform(0, 0.02 * number))  # noqa: S311 - spreads load
