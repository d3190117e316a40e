"""django-q2's broker, and seats for drains: one of the two modules that know it.

Ordinary tasks and schedules stay in django-q2's own table. `dequeue` also hands out
drain tasks, one a free seat, so that `manage.py qcluster` alone runs everything.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import Error
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import SignedPackage

from automate.lib.ids import uuid7
from runs.engine import pulse, seats

logger = logging.getLogger(__name__)

DRAIN = "runs.tasks.drain"
BEAT = "runs.tasks.beat"
PREFIX = "automate:"
AWAY_PAUSE = 1.0


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
        self._away = False

    def ping(self) -> bool:
        """The sentinel's first act, before it forks: all must see the same seats."""
        seats.folder()
        return bool(super().ping())

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """The sentinel's last act in each of its rounds: a sign that it goes on."""
        pulse.beat(pulse.Mark.SENTINEL_BEAT)
        super().set_stat(key, value, timeout)

    def dequeue(self) -> Any:
        """Drains for free seats at once; else ordinary tasks, as the ORM broker does.

        Nothing while the cluster stops. A database that is away is waited for: the
        exception would end the pusher, and drains would take that for a stop.
        """
        pulse.keep(pulse.Mark.PUSHER_BEAT)
        if pulse.get(pulse.Mark.STOPPING):
            time.sleep(Conf.POLL)
            return None
        ours = self._ours()
        if ours:
            return ours
        try:
            tasks = super().dequeue()
        except Error as error:
            if not self._away:
                logger.error("no ordinary tasks, the database is away: %s", error)
            self._away = True
            time.sleep(AWAY_PAUSE)
            return None
        self._away = False
        return tasks

    def _ours(self) -> list[tuple[str, str]]:
        ours = [_package(DRAIN, number) for number in self._hand_out.next_seats()]
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + pulse.stale() / 3
            ours.append(_package(BEAT))
        return ours

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
