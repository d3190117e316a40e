"""Telling steps that a breaker held back that it is closed: some of them at a time.

Without this they would come back when the next probe had been due, up to ten minutes
later. A receiver that has just recovered gets them in portions.
"""

from __future__ import annotations

from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Least, Now

from automate.lib.database import write_transaction
from runs.engine import wake
from runs.engine.clock import database_now
from runs.models import Job, StepRun
from runs.states import StepStatus
from workflows.models import Breaker

PORTION = 100  # runs
EVERY = 1.0  # seconds between portions
LOOK = 3.0  # seconds between looks for a breaker that was closed


def sweep() -> float:
    """One portion for one breaker that was closed; the chore of every drain.

    The steps of other connections, whose breakers are open, are told too: they look,
    and wait again.
    """
    closed = Breaker.objects.filter(wake_after__isnull=False)
    found = closed.values_list("pk", "wake_after").first()
    if found is None:
        return LOOK
    key, after = found
    with write_transaction():
        told = _tell(after or 0)
        following = told[-1] if len(told) == PORTION else None
        # Of several drains that tell the same ones, the first moves on.
        Breaker.objects.filter(pk=key, wake_after=after).update(wake_after=following)
    if told:
        wake.notify()
    return EVERY


def _tell(after: int) -> list[int]:
    """Make the next runs due that wait for a breaker; those in work look themselves.

    Call in a transaction. Jobs are locked in the order of their ids, and never waited
    for.
    """
    waiting = StepRun.objects.filter(
        status=StepStatus.WAITING, waiting_for="breaker", due_at__gt=Now()
    )
    jobs = (
        Job.objects.filter(Exists(waiting.filter(run=OuterRef("run"))))
        .filter(pk__gt=after, lease_token=None)
        .order_by("pk")
        .select_for_update(no_key=True, skip_locked=True)
    )
    rows = list(jobs.values_list("pk", "run")[:PORTION])
    if rows:
        now = database_now()
        waiting.filter(run__in=[run for _, run in rows]).update(due_at=now)
        told = Job.objects.filter(pk__in=[pk for pk, _ in rows])
        told.update(due_at=Least(F("due_at"), now))
    return [pk for pk, _ in rows]
