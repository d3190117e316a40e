"""A worker's sign of life: its row in runs.Worker."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from django.conf import settings
from django.db import Error
from django.db.models.functions import Now

from automate.lib.database import write_transaction
from automate.lib.ids import uuid7
from runs.engine import used
from runs.models import Worker
from workflows.services import noted


class Sign:
    """Keeps one Worker row fresh and counts the drains that are alive."""

    def __init__(self, *, seat: int | None, threads: int) -> None:
        self._id = uuid7()
        self._fields = {
            "kind": Worker.Kind.DRAIN,
            "host": socket.gethostname()[:255],
            "pid": os.getpid(),
            "seat": seat,
            "threads": threads,
        }
        self.drains = 1

    def beat(self, *, busy: int = 0) -> None:
        """Say that this worker lives and what it used. Raises a database Error."""
        with write_transaction():
            fresh = Worker.objects.filter(pk=self._id).update(beat_at=Now(), busy=busy)
            if not fresh:
                Worker.objects.create(pk=self._id, busy=busy, **self._fields)
        used.write_down()
        noted.write_down()
        alive = timedelta(seconds=4 * settings.HEARTBEAT)
        self.drains = Worker.objects.filter(
            kind=Worker.Kind.DRAIN, beat_at__gt=Now() - alive
        ).count()

    def end(self) -> None:
        """This worker stops cleanly; where the database is away its row grows old."""
        try:
            used.write_down()
            noted.write_down()
            with write_transaction():
                Worker.objects.filter(pk=self._id).delete()
        except Error:
            return
