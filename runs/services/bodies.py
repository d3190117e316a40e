"""Bodies too large for the run's row, on their way in."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection

from automate.lib.database import write_transaction
from automate.lib.payloads import get_ring
from runs.payloads import Kept, keep_body, refer
from runs.services.store import NewRun

Store = Callable[[NewRun], bool]


def put_aside(body: bytes) -> Kept | None:
    """The body moved out of its row; None when it stays there.

    In an open transaction it stays whatever its size, unless the database is the
    store: a store that is slow or away would hold up everybody who waits for the same
    rows. Raises PayloadStoreAway.
    """
    if connection.in_atomic_block and get_ring().writer.external:
        return None
    return keep_body(body)


def with_payload(kept: Kept, store: Store) -> Store:
    """`store` in one transaction with what refers to the body."""

    def both(run: NewRun) -> bool:
        with write_transaction():
            stored = store(run)
            if stored:
                refer([(run.pk, kept)])
        return stored

    return both
