"""Keeps what did not become a run: one row each, or a count for unproven senders."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any, cast
from uuid import UUID

from django.db import DatabaseError, connection, models

from automate.lib.database import write_transaction
from automate.lib.jsonio import storable_text
from webhooks.models import InboundEvent

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that did not become a run; `detail` never holds a secret.

    `gate` is where it was stopped, `facts` what was decided by: only events that are
    kept keep them.
    """

    trigger_id: UUID | None
    reason: str
    status: int
    detail: str = ""
    event_id: str = ""
    first_run_id: UUID | None = None
    source_ip: str | None = None
    size: int = 0
    gate: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def keep(event: Rejected) -> None:
    """One row for a sender who has proved who it is; a failure is only logged."""
    keep_all([event])


def keep_all(events: Sequence[Rejected]) -> None:
    """The same for several at once."""
    rows = [
        InboundEvent(**_columns(event), facts=dict(event.facts) or None)
        for event in events
    ]
    if not rows:
        return
    try:
        with write_transaction():
            InboundEvent.objects.bulk_create(rows)
    except DatabaseError:
        reasons = ", ".join(sorted({event.reason for event in events}))
        logger.warning("could not record a %s event", reasons, exc_info=True)


def _columns(event: Rejected) -> dict[str, Any]:
    return {
        "trigger_id": event.trigger_id,
        "reason": event.reason,
        "status": event.status,
        "detail": storable_text(event.detail)[:1000],
        "event_id": storable_text(event.event_id)[:200],
        "first_run_id": event.first_run_id,
        "source_ip": event.source_ip,
        "size": event.size,
        "gate": event.gate,
    }


_Key = tuple[UUID | None, str, datetime]


class Tally:
    """Counts unproven senders by trigger, reason and minute.

    Writing is bounded: a process writes at once as long as there are few (20, and 20
    more a second); in a flood it counts in memory and writes with the next one that
    may. What a process has not written when it ends is lost, as is what exceeds
    1,000 different counts: nobody's event, only a number.
    """

    BURST = 20.0
    PER_SECOND = 20.0
    MOST_PENDING = 1000

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._pending: dict[_Key, tuple[int, Rejected]] = {}
        self._allowance = self.BURST
        self._at = monotonic()

    def add(self, event: Rejected, now: datetime) -> None:
        """Count one; a failure to write is only logged."""
        minute = now.replace(second=0, microsecond=0)
        key = (event.trigger_id, event.reason, minute)
        with self._lock:
            count, _ = self._pending.get(key, (0, event))
            if count or len(self._pending) < self.MOST_PENDING:
                self._pending[key] = (count + 1, event)
            if not self._may_write():
                return
            due = self._take(key)
        for (_, _, counted), (number, last) in due:
            _write(counted, number, last)

    def _may_write(self) -> bool:
        at = self._monotonic()
        gained = (at - self._at) * self.PER_SECOND
        self._allowance = min(self.BURST, self._allowance + gained)
        self._at = at
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _take(self, key: _Key) -> list[tuple[_Key, tuple[int, Rejected]]]:
        """This one's count, and the oldest of those that a flood has left."""
        taken = [(key, self._pending.pop(key))] if key in self._pending else []
        if self._pending:
            oldest = next(iter(self._pending))
            taken.append((oldest, self._pending.pop(oldest)))
        return taken


def _write(minute: datetime, count: int, event: Rejected) -> None:
    if count > 1:
        event = replace(event, event_id="")
    statement = _COUNT_STRANGER if event.trigger_id is None else _COUNT
    values = _columns(event) | {"count": count, "minute": minute}
    parameters = [_prepared(name, values[name]) for name in _WRITTEN]
    if event.trigger_id is not None:
        # A trigger that was deleted meanwhile has nobody to tell.
        parameters.append(_prepared("trigger_id", event.trigger_id))
    try:
        with write_transaction(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
    except DatabaseError:
        logger.warning(
            "could not count %d %s events", count, event.reason, exc_info=True
        )


def _prepared(name: str, value: object) -> Any:
    field = cast("models.Field[Any, Any]", InboundEvent._meta.get_field(name))
    return field.get_db_prep_save(value, connection)


_WRITTEN = ("trigger_id", "reason", "status", "detail", "event_id", "source_ip",
            "size", "gate", "count", "minute")  # fmt: skip
_INSERT = f"INSERT INTO webhooks_inboundevent AS i ({', '.join(_WRITTEN)}) "
_SET = """ DO UPDATE SET count = i.count + excluded.count, detail = excluded.detail,
    source_ip = excluded.source_ip, size = excluded.size, gate = excluded.gate,
    status = excluded.status, event_id = ''"""
_VALUES = ", ".join(["%s"] * len(_WRITTEN))
_COUNT_STRANGER = (
    f"{_INSERT} VALUES ({_VALUES}) "
    f"ON CONFLICT (reason, minute) WHERE minute IS NOT NULL AND trigger_id IS NULL"
    f"{_SET}"
)
_COUNT = (
    f"{_INSERT} SELECT {_VALUES} FROM workflows_trigger WHERE id = %s "  # noqa: S608
    f"ON CONFLICT (trigger_id, reason, minute) WHERE minute IS NOT NULL{_SET}"
)

tally = Tally()
