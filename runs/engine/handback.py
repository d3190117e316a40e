"""What a stopping drain does with runs that it still holds."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import Error
from django.db.models import F

from automate.lib.database import repeat, write_transaction
from runs.engine.clock import database_now
from runs.engine.fence import lock
from runs.engine.held import Held
from runs.engine.ledger import DatabaseAway, Ledger
from runs.engine.task import Interrupted, Result
from runs.models import Job

logger = logging.getLogger(__name__)


def hand_back(held: Sequence[Held], ledger: Ledger) -> None:
    """Record attempts in flight as `unknown`, then clear the leases.

    Where the database is away the leases simply run out.
    """
    if not held:
        return
    try:
        written = ledger.turn(_interrupted(held), 0)
        if written.resumed:  # that was what had been in doubt; now these
            written = ledger.turn(_interrupted(held), 0)
        ours = [
            draft.held
            for draft in written.drafts
            if draft.ending is None and not draft.released
        ]
        if ours:
            repeat(lambda: _release(ours))
    except (DatabaseAway, Error) as error:
        logger.error("could not hand back %d run(s): %s", len(held), error)


def _interrupted(held: Sequence[Held]) -> dict[Held, list[Result]]:
    return {
        item: [
            Result(item, node_id, flight.attempt, Interrupted(), verify=flight.verify)
            for node_id, flight in item.in_flight.items()
        ]
        for item in held
    }


def _release(held: Sequence[Held]) -> None:
    with write_transaction():
        locked, _ = lock(held)
        ids = [item.job_id for item in held if locked[item.job_id].held]
        Job.objects.filter(pk__in=ids).update(
            lease_token=None,
            lease_until=None,
            due_at=database_now(),
            seq=F("seq") + 1,
        )
