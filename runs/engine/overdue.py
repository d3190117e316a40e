"""Runs whose time is over while nobody may take them: they end all the same.

Whoever holds a run ends it at its deadline, and a run that waits is due by then. But
one that is parked for its exclusive key, that finds no slot, or that stands behind a
long queue is not claimed, perhaps for long.

No index knows deadlines: every run would pay for it. Each look walks over a page of
jobs instead, from where the last one ended, so that its cost does not grow with the
queue: a round over 50,000 jobs takes 50 seconds. One drain a host does it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Now

from automate.lib.database import is_away, repeat, write_transaction
from runs.engine import wake
from runs.engine.clock import database_now
from runs.engine.ending import close_jobs, closings_of, end_run, out_of_time
from runs.engine.locks import lock_runs
from runs.models import Job, Run, StepRun
from runs.states import FINAL_STEP, RunStatus, StepStatus

logger = logging.getLogger(__name__)

PAGE = 500  # jobs that one look walks over
AT_ONCE = 200  # runs that one transaction ends
NEXT = 0.5  # seconds until the next page: a page costs some milliseconds
EVERY = 1.0  # seconds between rounds


class Overdue:
    """Ends such runs; remembers how far it has looked. Not thread-safe."""

    def __init__(self) -> None:
        self._after = 0

    def look(self) -> float:
        """End those in the next page of jobs; the seconds until the one after it.

        A chore of the drain in the first seat.
        """
        jobs = Job.objects.filter(lease_token=None, pk__gt=self._after).order_by("pk")
        last = jobs.values_list("pk", flat=True)[PAGE - 1 : PAGE].first()
        if last is not None:
            jobs = jobs.filter(pk__lte=last)
        # One probe a job, whatever the planner believes of two tables that grow and
        # shrink by the minute.
        deadline = Run.objects.filter(pk=OuterRef("run")).values("deadline")
        late = jobs.annotate(deadline=Subquery(deadline)).filter(deadline__lte=Now())
        runs = list(late.values_list("run", flat=True)[:AT_ONCE])
        ended = _end_all(runs)
        if ended:
            logger.info("ended %d run(s) whose time was over", ended)
            wake.notify()
            return 0.0
        self._after = last or 0
        return EVERY if last is None else NEXT


def _end_all(runs: Sequence[UUID]) -> int:
    """All at once; when the data of one of them forbids it, one by one (I9)."""
    if not runs:
        return 0
    try:
        return repeat(partial(_end, runs))
    except Exception as error:
        if is_away(error):
            raise
        logger.exception("%d run(s) whose time is over did not end", len(runs))
        if len(runs) == 1:
            return 0
    return sum(_end_all([run]) for run in runs)


def _end(runs: Sequence[UUID]) -> int:
    """End those of these runs that nobody has taken meanwhile; how many."""
    with write_transaction():
        now = database_now()
        jobs = [job for job in lock_runs(runs) if job.lease_token is None]
        found = Run.objects.filter(pk__in=[job.run_id for job in jobs])
        deadlines = dict(found.filter(deadline__lte=now).values_list("pk", "deadline"))
        jobs = [job for job in jobs if job.run_id in deadlines]
        for run_id, deadline in deadlines.items():
            assert deadline is not None  # noqa: S101 - it was compared
            end_run(run_id, out_of_time(deadline), now)
        open_steps = StepRun.objects.filter(run__in=deadlines)
        open_steps.exclude(status__in=FINAL_STEP).update(
            status=StepStatus.CANCELLED, finished_at=now, due_at=None
        )
        if jobs:
            close_jobs(closings_of(jobs, RunStatus.FAILED), now)
    return len(jobs)
