"""Connections that break where a test wants them to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.runs.drains import until

# The one place through which every COMMIT goes.
_commit: Any = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]


@contextmanager
def other_session(database: str = "") -> Iterator[psycopg.Connection[Any]]:
    """A session beside Django's, in the same or another database of the server."""
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
        user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
        dbname=database or settings["NAME"],
        autocommit=True,
    ) as other:
        yield other


def cut() -> None:
    """End this thread's session from another one, as a restart of the server does."""
    if connection.vendor == "sqlite":
        raise OperationalError("disk I/O error")
    pid = connection.connection.info.backend_pid
    gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    with other_session() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
        until(lambda: other.execute(gone, [pid]).fetchone() == (0,))


@contextmanager
def lost_commit(
    monkeypatch: pytest.MonkeyPatch, *, applied: bool, number: int = 1, thread: str = ""
) -> Iterator[None]:
    """The connection breaks at a COMMIT: just before it, or just after.

    At the one of this number, counted in this thread or in those of that name.
    """
    name = thread or threading.current_thread().name
    count = 0

    def commit(self: Any) -> None:
        nonlocal count
        mine = threading.current_thread().name == name
        count += mine
        if not mine or count != number:
            _commit(self)
            return
        if applied:
            _commit(self)
        cut()
        raise OperationalError("the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "_commit", commit)
        yield


def deadlocks() -> int:
    """Deadlocks that PostgreSQL has seen in this database so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return int(cursor.fetchone()[0])
