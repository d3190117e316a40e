"""Drafting one run's part of a transaction; what goes wrong there is its own (I9)."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence

from runs.engine.draft import Draft
from runs.engine.ending import Ending
from runs.engine.held import Held
from runs.engine.record import Batch
from runs.engine.settling import settle
from runs.engine.task import Result
from runs.states import RunStatus
from workflows.actions.outcomes import ErrorInfo

logger = logging.getLogger(__name__)


def drafted(held: Held, results: Sequence[Result], batch: Batch, free: int) -> Draft:
    """The run's draft, added to the batch; an exception ends this run alone (I9)."""
    draft = Draft(held, batch.now)
    try:
        if held.broken is not None:
            raise held.broken
        for result in results:
            settle(draft, result)
        draft.advance(free)
    except Exception as error:  # noqa: BLE001 - it ends its own run, no others
        hide = held.supplies.redactor.text
        trace = hide(traceback.format_exc())
        logger.error("run %s cannot go on\n%s", held.run_id, trace)
        draft = Draft(held, batch.now)
        message = hide(f"{type(error).__name__}: {error}")
        draft.stop(Ending(RunStatus.FAILED, ErrorInfo("internal", message[:2000])))
    batch.drafts.append(draft)
    return draft


def begun(held: Held, batch: Batch, free: int) -> Draft:
    """The draft of a run that was claimed just now.

    A child that would end at once is kept for the next turn: to end it, its parent's
    job must be locked, and that comes before its own.
    """
    draft = drafted(held, [], batch, free)
    if draft.ending is not None and held.parent_job is not None:
        draft = Draft(held, batch.now, due_at=batch.now)
        batch.drafts[-1] = draft
    draft.fresh_lease = True
    return draft
