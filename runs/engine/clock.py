"""The database's clock, in a transaction and as the steps see it: no host's decides."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone


def database_now() -> datetime:
    """The database's clock, which all leases and due times go by."""
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        moment: datetime = cursor.fetchone()[0]
    return moment


class DatabaseClock:
    """The database's time as last read, moved on by this host's monotonic clock.

    Lease and due times are the database's: a delay computed from the clock of a host
    that is behind would be over too soon. Before the first reading it is the host's.
    """

    def __init__(self) -> None:
        self._offset: tuple[datetime, float] | None = None

    def set(self, moment: datetime, monotonic: float) -> None:
        """The database said `moment` when this host's monotonic clock said this."""
        self._offset = (moment, monotonic)

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        if self._offset is None:
            return datetime.now(UTC)
        moment, then = self._offset
        return moment + timedelta(seconds=time.monotonic() - then)

    def monotonic(self) -> float:
        """Seconds from an unknown start; never goes back."""
        return time.monotonic()
