"""Waiting rooms for tests, whose threads leave no connection behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

from runs.engine import wake
from runs.services import waiting
from tests.processes import HANGS
from tests.runs.drains import until

# The session of a room's thread, by what it asked last.
HEARING = ["%runs_steprun%EXISTS%", "%EXISTS%runs_steprun%", "LISTEN automate_answers%"]
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND query LIKE ANY(%s)"
)


@contextmanager
def waiting_room(capacity: int = 4, **changes: Any) -> Iterator[waiting.WaitingRoom]:
    """This process's room while the block runs; `changes` are its constants."""
    before, room = waiting.room, waiting.WaitingRoom(capacity)
    for name, value in changes.items():
        setattr(room, name, value)
    waiting.room = room
    try:
        yield room
    finally:
        waiting.room = before
        end(room)


def end(room: waiting.WaitingRoom) -> None:
    """Let its thread end, and wait for that."""
    room.LINGER = 0.0
    thread = room._thread
    if thread is not None:
        rare = connection.vendor == "postgresql" and room.POLL > 1
        if rare:  # it would sit there until its next look
            until(lambda: not thread.is_alive() or cut_hearing())
        thread.join(HANGS)
        assert not thread.is_alive(), "the thread that hears does not end"


def cut_hearing() -> bool:
    """End the session in which a room listens. False when it has none yet."""
    with connection.cursor() as cursor:
        cursor.execute(TERMINATE, [HEARING])
        return bool(cursor.fetchall())


class OwnNotifier(wake.Notifier):
    """One whose thread ends."""

    def __init__(self) -> None:
        super().__init__()
        self.sender: threading.Thread | None = None
        self.stopping = False

    def _run(self) -> None:
        self.sender = threading.current_thread()
        while self._wanted.wait() and not self.stopping:
            self._wanted.clear()
            self._send()
        connections.close_all()

    def stop(self) -> None:
        """End the thread, and its session with it; without one nothing was sent."""
        self.stopping = True
        self._wanted.set()
        if self.sender is not None:
            self.sender.join(60)


@contextmanager
def announcing(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A notifier of the test's own: the thread of the process's never ends."""
    notifier = OwnNotifier()
    patch.setattr(wake, "notify", notifier.notify)
    patch.setattr(wake, "answered", notifier.answered)
    yield
    notifier.stop()
