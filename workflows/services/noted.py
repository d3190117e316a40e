"""What steps learn about connections, kept in memory until it is written down.

Steps hold no database. A drain writes with its sign of life; a worker that is killed
forgets a few seconds: the next step fetches a token anew, or is told again that the
receiver is gone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from uuid import UUID

from django.db.models.functions import Now

from automate.accounts.audit import record as audit
from automate.accounts.models import Team
from automate.lib.database import repeat, write_transaction
from workflows.actions.outcomes import Gone
from workflows.connections.tokens import Token, tokens
from workflows.models import Connection

logger = logging.getLogger(__name__)

EARLIER = 3  # tokens before the latest one that redaction still knows

_gone: dict[UUID, Gone] = {}
_lock = threading.Lock()


def gone(found: Gone) -> None:
    """A receiver answered that it is gone for good; from any thread."""
    with _lock:
        _gone.setdefault(found.connection, found)


def write_down() -> None:
    """Write new tokens and deactivate what is gone; nothing where there is nothing.

    Raises a database Error, and then knows it still.
    """
    fresh = tokens.take_unwritten()
    with _lock:
        ended = dict(_gone)
        _gone.clear()
    if not fresh and not ended:
        return
    try:
        repeat(lambda: _write(fresh, ended))
    except BaseException:
        tokens.give_back(fresh)
        for each in ended.values():
            gone(each)
        raise


def tokens_of(row: Connection) -> frozenset[str]:
    """The access tokens that are known of this connection."""
    data = row.token
    if not isinstance(data, Mapping):
        return frozenset()
    return frozenset({str(data.get("value", "")), *map(str, data.get("earlier", ()))})


def _write(fresh: Mapping[UUID, Token], ended: Mapping[UUID, Gone]) -> None:
    with write_transaction():
        ids = sorted(fresh.keys() | ended.keys())
        rows = Connection.objects.select_for_update(no_key=True).filter(pk__in=ids)
        for row in rows.order_by("pk"):
            if row.pk in fresh:
                _keep(row, fresh[row.pk])
            if row.pk in ended:
                _deactivate(row, ended[row.pk].reason)


def _keep(row: Connection, token: Token) -> None:
    known = Token.stored(row.token)
    earlier = [] if known is None else [known.value, *row.token.get("earlier", ())]
    data = {**token.as_data(), "earlier": earlier[:EARLIER]}
    Connection.objects.filter(pk=row.pk).update(token=data)


def _deactivate(row: Connection, reason: str) -> None:
    """Once: whoever activated it since is not overruled by a second answer.

    Not a shared one where there are teams: a step of one team would stop the others.
    """
    if row.team_id is None and Team.objects.exists():
        logger.warning("the shared connection %s stays active: %s", row, reason)
        return
    changed = (
        Connection.objects.filter(pk=row.pk)
        .exclude(status=Connection.Status.INACTIVE)
        .update(
            status=Connection.Status.INACTIVE, status_reason=reason, updated_at=Now()
        )
    )
    if changed:
        changes = {"status": [row.status, Connection.Status.INACTIVE], "reason": reason}
        audit("connection.deactivate", row, by=None, changes=changes)
