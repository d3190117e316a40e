"""Child runs whose parent does not wait for them any more: ended soon after.

Never in the parent's own transaction, which they would make as large as they are many.
A step that is over while `children_left` is above 0 says that there are some; each end
counts it down, so that what was found once is found until nothing is left.
"""

from __future__ import annotations

import logging
from functools import partial
from uuid import UUID

from automate.lib.database import repeat, write_transaction
from runs.engine.clock import database_now
from runs.engine.ending import cancel_all
from runs.models import Job, StepRun
from runs.states import FINAL_STEP

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds
STEPS_AT_ONCE = 20
CHILDREN_AT_ONCE = 500


def sweep() -> float:
    """End the next few hundred such runs; the seconds until the next look.

    A chore of every drain. Their own children are found by the next look.
    """
    steps = StepRun.objects.filter(children_left__gt=0, status__in=FINAL_STEP)
    found = list(steps.order_by("pk").values_list("pk", "run")[:STEPS_AT_ONCE])
    ended = sum(repeat(partial(_end_some, pk, run_id)) for pk, run_id in found)
    return 0.0 if ended else EVERY


def _end_some(step_pk: int, run_id: UUID) -> int:
    """End some children of the step that no one else works on; how many."""
    with write_transaction():
        step = StepRun.objects.only("node_id").get(pk=step_pk)
        living = Job.objects.filter(
            run__parent=run_id, run__parent_node=step.node_id, run__replay_of=None
        )
        ids = list(living.values_list("pk", flat=True)[:CHILDREN_AT_ONCE])
        if not ids:
            StepRun.objects.filter(pk=step_pk).update(children_left=0)
            return 0
        # Not the parent's job: whether it is locked or gone, its step waits no more.
        locked = Job.objects.filter(pk__in=ids).order_by("pk")
        jobs = list(locked.select_for_update(no_key=True, skip_locked=True))
        message = f"Step {step.node_id} of run {run_id}, which started it, is over."
        cancel_all(jobs, message, database_now())
    if jobs:
        logger.info("ended %d child run(s) of run %s", len(jobs), run_id)
    return len(jobs)
