"""django-q2's broker, and seats for drains: one of the two modules that know it.

Ordinary tasks and schedules stay in django-q2's own table. `dequeue` also hands out
drain tasks, one a free seat, so that `manage.py qcluster` alone runs everything.
"""

from __future__ import annotations

import os
import time
from typing import Any

from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.signing import SignedPackage

from automate.lib.ids import uuid7
from runs.engine import pulse, seats

DRAIN = "runs.tasks.drain"
BEAT = "runs.tasks.beat"
BEAT_EVERY = 5.0
PREFIX = "automate:"


def _package(func: str, *args: Any) -> tuple[str, str]:
    """A task package as django-q2's pusher expects it, with an id of our own.

    `timeout` -1: none (None would kill the worker). Nothing is saved of it.
    """
    number = uuid7().hex
    task = {
        "id": number,
        "name": func.rsplit(".", 1)[-1],
        "func": func,
        "args": args,
        "kwargs": {},
        "timeout": -1,
        "save": False,
        "started": timezone.now(),
    }
    return f"{PREFIX}{number}", SignedPackage.dumps(task)


class Broker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """The ORM broker plus drain seats and a beat that passes through the queue."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self._hand_out = seats.HandOut()
        self._beat_at = 0.0
        pulse.put(pulse.Mark.SENTINEL_PID, os.getpid())

    def dequeue(self) -> Any:
        """Drains for free seats; else ordinary tasks, as the ORM broker does."""
        pulse.beat(pulse.Mark.PUSHER_BEAT)
        ours = [_package(DRAIN, number) for number in self._hand_out.next_seats()]
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + BEAT_EVERY
            ours.append(_package(BEAT))
        if ours:
            return ours
        tasks = super().dequeue()
        pulse.beat(pulse.Mark.PUSHER_BEAT)
        return tasks

    def delete(self, task_id: Any) -> None:
        """Remove an ordinary task; ours have no row."""
        if not _is_ours(task_id):
            super().delete(task_id)

    def acknowledge(self, task_id: Any) -> Any:
        """Remove an ordinary task that is done; ours have no row."""
        if not _is_ours(task_id):
            return super().acknowledge(task_id)
        return None

    def fail(self, task_id: Any) -> None:
        """Remove an ordinary task that cannot be read; ours have no row."""
        if not _is_ours(task_id):
            super().fail(task_id)


def _is_ours(task_id: Any) -> bool:
    return isinstance(task_id, str) and task_id.startswith(PREFIX)
