"""Closing a connection's breaker by hand."""

from __future__ import annotations

from automate.accounts import audit
from automate.accounts.models import ApiKey, User
from automate.lib.database import repeat, write_transaction
from workflows.models import Breaker, Connection


def close_breaker(connection: Connection, *, by: User | ApiKey | None) -> bool:
    """Let steps through again, now; False when it was closed already.

    Those that were held back are told within seconds, by the drains.
    """
    return repeat(lambda: _close(connection, by))


def _close(connection: Connection, by: User | ApiKey | None) -> bool:
    with write_transaction():
        rows = Breaker.objects.select_for_update(no_key=True)
        row = rows.filter(pk=connection.pk).first()
        if row is None or row.is_closed:
            return False
        changes = {"opened_at": str(row.opened_at), "last_error": row.last_error}
        row.close()
        row.save()
        audit.record("connection.close_breaker", connection, by=by, changes=changes)
    return True
