"""Waking drains: NOTIFY folded in the background, LISTEN beside the poll.

A wake-up that is lost or doubled changes nothing: the poll finds the same rows (I7).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from django.conf import settings
from django.db import Error, OperationalError, connection, connections

logger = logging.getLogger(__name__)
CHANNEL = "automate_jobs"


class Notifier:
    """One thread a process that sends NOTIFY; calls in between fold into one.

    A NOTIFY in the writing transaction would take a lock over all commits of the
    database and halved the rate of accepts.
    """

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._pid = 0
        self._local: Callable[[], None] | None = None

    def notify(self) -> None:
        """Soon, tell every drain that something may be due."""
        if self._local is not None:
            self._local()
        if connection.vendor != "postgresql" or not settings.LISTEN:
            return
        if self._pid != os.getpid():
            self._start()
        self._wanted.set()

    def listen_locally(self, wake: Callable[[], None] | None) -> None:
        """Also call `wake` at once, for the drain that lives in this process."""
        self._local = wake

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._wanted = threading.Event()
            thread = threading.Thread(target=self._run, name="notify", daemon=True)
            thread.start()
            self._pid = os.getpid()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"NOTIFY {CHANNEL}")
            except Error as error:
                # The poll is the safety net; the event itself is committed.
                logger.info("could not send a wake-up: %s", error)
                connection.close()


_notifier = Notifier()
notify = _notifier.notify
listen_locally = _notifier.listen_locally


class Listener:
    """A thread that LISTENs on a connection of its own and calls `wake`."""

    RETRY = 2.0

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listen", daemon=True)

    def start(self) -> None:
        """Begin, where this database and the settings have LISTEN."""
        if connection.vendor == "postgresql" and settings.LISTEN:
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
