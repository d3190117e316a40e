"""Waking drains: NOTIFY folded in the background, LISTEN beside the poll.

A wake-up that is lost or doubled changes nothing: the poll finds the same rows (I7).
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from uuid import UUID

from django.conf import settings
from django.db import Error, OperationalError, connection, connections

logger = logging.getLogger(__name__)
CHANNEL = "automate_jobs"
ANSWERS = "automate_answers"  # the payload is the id of the run that has answered


def _can_listen() -> bool:
    return connection.vendor == "postgresql" and bool(settings.LISTEN)


class Notifier:
    """One thread a process that sends NOTIFY; calls in between fold into one.

    A NOTIFY in the writing transaction would take a lock over all commits of the
    database and halved the rate of accepts.
    """

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._pid = 0
        self._due = False
        self._answered: deque[UUID] = deque()

    def notify(self) -> None:
        """Soon, tell every drain that something may be due."""
        if _can_listen():
            if self._pid != os.getpid():
                self._start()
            self._due = True
            self._wanted.set()

    def answered(self, run_ids: Iterable[UUID]) -> None:
        """Soon, tell the processes that wait for the answers of these runs."""
        if _can_listen():
            if self._pid != os.getpid():
                self._start()
            self._answered.extend(run_ids)
            self._wanted.set()

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._wanted = threading.Event()
            self._answered.clear()  # the parent's, where this is a fork
            thread = threading.Thread(target=self._run, name="notify", daemon=True)
            thread.start()
            self._pid = os.getpid()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._send()
            except Error as error:
                # The poll is the safety net; the event itself is committed.
                logger.info("could not send a wake-up: %s", error)
                connection.close()

    def _send(self) -> None:
        ids = []
        while self._answered:
            ids.append(str(self._answered.popleft()))
        due, self._due = self._due, False
        with connection.cursor() as cursor:
            if ids:
                cursor.execute(
                    "SELECT pg_notify(%s, id) FROM unnest(%s::text[]) AS id",
                    [ANSWERS, ids],
                )
            if due:
                cursor.execute(f"NOTIFY {CHANNEL}")


_notifier = Notifier()
notify = _notifier.notify
answered = _notifier.answered


class Listener:
    """A thread that LISTENs on a connection of its own and calls `wake`."""

    RETRY = 2.0

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listen", daemon=True)

    def start(self) -> None:
        """Begin, where this database and the settings have LISTEN."""
        if _can_listen():
            self._thread.start()

    def stop(self) -> None:
        """End within a second; safe when never started."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except (Error, OSError) as error:
                logger.warning("LISTEN was interrupted, polling meanwhile: %s", error)
                self._stop.wait(self.RETRY)
            finally:
                connections.close_all()

    def _listen(self) -> None:
        import psycopg

        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        raw = connection.connection
        self._wake()  # what was committed before LISTEN was not announced
        try:
            while not self._stop.is_set():
                for _ in raw.notifies(timeout=1.0, stop_after=1):
                    self._wake()
        except psycopg.Error as error:
            raise OperationalError(str(error)) from error
