"""Requests that wait for a run's answer: one thread a process hears for all of them.

A request takes its seat before the run is committed, looks once after it, and then
sleeps until its run is announced (runs.engine.answers) or found by the poll, which is
one query for all seats. It leaves its place, and with it the database connection,
while it sleeps.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections

from automate.lib import places
from automate.lib.ids import uuid7
from runs.engine.wake import ANSWERS
from runs.services.accept import Accepted
from runs.services.answer import Answer, answer_of, answered

logger = logging.getLogger(__name__)


class Seat:
    """A request that waits, or is about to; made by `WaitingRoom.seat`."""

    def __init__(self, room: WaitingRoom, run_id: UUID) -> None:
        self._room = room
        self.run_id = run_id
        self.rung = threading.Event()

    def wait(self, run_id: UUID, seconds: float) -> Answer | None:
        """What is known of this run once it has answered, or after `seconds`.

        None when nothing is: the run was purged, or the database is away. Raises
        AnswerUnreadable.
        """
        if run_id != self.run_id:
            self._room.move(self, run_id)
        end = time.monotonic() + seconds
        while True:
            self.rung.clear()
            found = look(run_id)
            left = end - time.monotonic()
            settled = found is None or found.is_there
            if settled or left <= 0 or self._room.is_closing:
                return found
            with places.left():
                self.rung.wait(left)


def look(run_id: UUID) -> Answer | None:
    """As `answer_of`; None, too, when the database is away."""
    try:
        return answer_of(run_id)
    except (OperationalError, InterfaceError) as error:
        # The event is committed all the same: its sender must not be told otherwise.
        logger.warning("could not look for an answer: %s", error)
        return None


class WaitingRoom:
    """The seats of one process, and the thread that hears for them.

    At most `capacity` requests wait at once: half of the server's threads, set by who
    starts the server. The thread is started by the first of them and ends when nobody
    has waited for `LINGER` seconds.
    """

    POLL = 0.25  # seconds; the safety net beside NOTIFY
    POLL_SQLITE = 0.05  # which has no NOTIFY
    RETRY = 1.0
    LINGER = 30.0

    def __init__(self, capacity: int = 4) -> None:
        self.capacity = capacity
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._seats: dict[UUID, set[Seat]] = {}
        self._count = 0
        self._thread: threading.Thread | None = None
        self._deserted = 0.0
        self.is_closing = False

    @contextmanager
    def seat(self, run_id: UUID) -> Iterator[Seat | None]:
        """A seat for who will wait for this run's answer; None when all are taken."""
        with self._lock:
            free = self._count < self.capacity and not self.is_closing
            self._count += free
        if not free:
            yield None
            return
        seat = Seat(self, run_id)
        try:
            with self._lock:
                self._seats.setdefault(run_id, set()).add(seat)
                self._start()
            yield seat
        finally:
            with self._lock:
                self._discard(seat)
                self._count -= 1
                self._deserted = time.monotonic()

    def move(self, seat: Seat, run_id: UUID) -> None:
        """The event turned out to be another run's: wait for that one."""
        with self._lock:
            self._discard(seat)
            seat.run_id = run_id
            self._seats.setdefault(run_id, set()).add(seat)

    def close(self) -> None:
        """Let nobody wait any longer: the server stops."""
        self.is_closing = True
        self._ring(self._awaited())

    def _discard(self, seat: Seat) -> None:
        seats = self._seats[seat.run_id]
        seats.discard(seat)
        if not seats:
            del self._seats[seat.run_id]

    def _awaited(self) -> list[UUID]:
        with self._lock:
            return list(self._seats)

    def _ring(self, run_ids: Iterable[UUID]) -> None:
        with self._lock:
            for run_id in run_ids:
                for seat in self._seats.get(run_id, ()):
                    seat.rung.set()

    # --- the thread that hears ------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="answers", daemon=True
            )
            self._thread.start()

    def _stays(self) -> bool:
        """False, once and for all, when nobody has waited for a while."""
        with self._lock:
            if self._count or time.monotonic() - self._deserted < self.LINGER:
                return True
            self._thread = None
            return False

    def _run(self) -> None:
        while self._stays():
            try:
                self._hear()
            except Exception as error:  # noqa: BLE001 - many depend on this thread
                logger.warning("hearing of answers was interrupted: %s", error)
                connection.close()
                time.sleep(self.RETRY)
        connections.close_all()

    def _hear(self) -> None:
        listens = connection.vendor == "postgresql" and settings.LISTEN
        if listens:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {ANSWERS}")
        while self._stays():
            self._ring(answered(self._awaited()))
            if listens:
                self._listen()
            else:
                sqlite = connection.vendor == "sqlite"
                time.sleep(self.POLL_SQLITE if sqlite else self.POLL)

    def _listen(self) -> None:
        for notice in connection.connection.notifies(timeout=self.POLL):
            self._ring([UUID(notice.payload)])


room = WaitingRoom()
os.register_at_fork(after_in_child=room._reset)


@dataclass(frozen=True, slots=True)
class Awaited:
    """What became of an event, and what its run had answered after `seconds`.

    `seconds` 0: nobody waited, because every seat was taken.
    """

    accepted: Accepted
    answer: Answer | None
    seconds: float


def accept_and_wait(
    accept: Callable[[UUID | None], Accepted], seconds: float
) -> Awaited:
    """Accept an event and wait for its answer, or for that of its first run.

    `accept` takes the id for a new run that somebody waits for, None when nobody does.
    Raises what it raises, and AnswerUnreadable.
    """
    run_id = uuid7()
    with room.seat(run_id) as seat:
        if seat is not None:
            accepted = accept(run_id)
            return Awaited(accepted, seat.wait(accepted.run_id, seconds), seconds)
    accepted = accept(None)
    # A run that was there before may have its answer, which needs no waiting.
    answer = look(accepted.run_id) if accepted.duplicate else None
    return Awaited(accepted, answer, 0)
