"""When each of a trigger's secrets was last used: no write per event.

The look-up of an event reads the stamps. One that is not older than five minutes is
fresh enough; else one guarded UPDATE renews it, tried once in that time by a process.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from django.db import DatabaseError
from django.db.models import Q

from automate.lib.database import write_transaction
from webhooks.lookup import Entry
from workflows.models import Trigger

logger = logging.getLogger(__name__)

FRESH = timedelta(minutes=5)
MOST_TRIED = 10_000

_Key = tuple[UUID, str, datetime | None]
_tried: dict[_Key, datetime] = {}
_lock = Lock()


def note_use(entry: Entry, place: int | None, now: datetime) -> None:
    """Remember that a sender used the secret at this place of `entry.secrets`.

    A failure is only logged: the event goes on.
    """
    if place is None:
        return
    is_current = place == 0 and isinstance(entry.secret, str) and bool(entry.secret)
    known = entry.secret_used_at if is_current else entry.previous_secret_used_at
    if known is not None and now - known < FRESH:
        return
    column = "secret_used_at" if is_current else "previous_secret_used_at"
    if _is_first((entry.trigger_id, column, entry.secret_set_at), now):
        _write(entry, column, now)


def _is_first(key: _Key, now: datetime) -> bool:
    """Whether nobody in this process has tried to write it lately."""
    with _lock:
        tried = _tried.get(key)
        if tried is not None and now - tried < FRESH:
            return False
        if len(_tried) >= MOST_TRIED:
            _tried.clear()
        _tried[key] = now
    return True


def _write(entry: Entry, column: str, now: datetime) -> None:
    stale = Q(**{f"{column}__isnull": True}) | Q(**{f"{column}__lte": now - FRESH})
    # What was rotated meanwhile is another secret.
    rows = Trigger.objects.filter(
        stale, pk=entry.trigger_id, secret_set_at=entry.secret_set_at
    )
    try:
        with write_transaction():
            rows.update(**{column: now})
    except DatabaseError:
        logger.warning("could not note the use of a secret", exc_info=True)
