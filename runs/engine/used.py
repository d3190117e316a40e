"""Which secrets steps were given, kept for `Secret.last_used_at`.

Steps note it in memory; a drain writes it down with its sign of life. A worker that is
killed forgets what it noted since: the time says when a secret was used at least.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from automate.lib.database import repeat, write_transaction
from workflows.models import Secret

RARELY = timedelta(minutes=1)

_noted: set[UUID] = set()
_lock = threading.Lock()


def note(ids: Iterable[UUID]) -> None:
    """A step is about to use these; from any thread."""
    with _lock:
        _noted.update(ids)


def write_down() -> None:
    """Write what was noted, a secret at most once a minute; one UPDATE, if any.

    Raises a database Error, and then knows it still.
    """
    with _lock:
        ids = set(_noted)
        _noted.clear()
    if not ids:
        return
    try:
        repeat(lambda: _update(ids))
    except BaseException:
        note(ids)
        raise


def _update(ids: set[UUID]) -> None:
    long_ago = Q(last_used_at=None) | Q(last_used_at__lte=Now() - RARELY)
    with write_transaction():
        Secret.objects.filter(long_ago, pk__in=ids).update(last_used_at=Now())
