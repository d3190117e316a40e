"""Giving back the runs of workers that vanished, and stopping what kills workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from automate.lib.database import is_away, repeat, write_transaction
from runs.engine import wake
from runs.engine.attempts import unknown_attempt
from runs.engine.clock import database_now
from runs.engine.ending import Ending, close_jobs, closings_of, end_run
from runs.engine.versions import compiled
from runs.models import DeliveryAttempt, Job, Run, RunLog, StepRun
from runs.states import RunStatus, StepStatus
from workflows.actions.outcomes import ErrorInfo

logger = logging.getLogger(__name__)

# The first expiry makes a run a suspect; three more, each of a lease under which it ran
# alone, end it.
SOLO_EXPIRIES = 3


class Reaper:
    """Takes only leases that it saw expired in two passes a heartbeat apart.

    After an outage of the database, live workers so renew their leases first.
    `forget` is called when the connection was lost in between.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, UUID], float] = {}

    def forget(self) -> None:
        """The connection broke: what was seen before it does not count."""
        self._seen.clear()

    def look(self) -> int:
        """One pass; returns how many runs were given back or ended."""
        moment = time.monotonic()
        rows = Job.objects.filter(
            lease_token__isnull=False, lease_until__lt=Now()
        ).values_list("pk", "lease_token")
        expired = {(pk, token) for pk, token in rows if token is not None}
        ripe = [
            key
            for key in expired
            if key in self._seen and moment - self._seen[key] >= settings.HEARTBEAT
        ]
        self._seen = {key: self._seen.get(key, moment) for key in expired}
        if not ripe:
            return 0
        reaped = _reap_all(ripe)
        if reaped:
            wake.notify()
        return reaped


def _reap_all(leases: Sequence[tuple[int, UUID]]) -> int:
    """All at once; when the data of one of them forbids it, one by one (I9)."""
    try:
        return repeat(lambda: reap(leases))
    except Exception as error:
        if len(leases) == 1 or is_away(error):
            raise
        logger.exception("reaping again, run by run")
    reaped = 0
    for lease in leases:
        try:
            reaped += _reap_all([lease])
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("job %d cannot be reaped", lease[0])
    return reaped


def reap(leases: Sequence[tuple[int, UUID]]) -> int:
    """Make these runs due again, or end them as poison; how many.

    Those whose leases are the same and still expired.
    """
    tokens = dict(leases)
    with write_transaction():
        now = database_now()
        rows = (
            Job.objects.filter(pk__in=tokens, lease_until__lt=Now())
            .order_by("pk")
            .select_for_update(no_key=True, skip_locked=True)
        )
        jobs = [job for job in rows if tokens[job.pk] == job.lease_token]
        if not jobs:
            return 0
        rest = [job for job in jobs if job.expiries < SOLO_EXPIRIES]
        poison = _endable([job for job in jobs if job.expiries >= SOLO_EXPIRIES])
        jobs = rest + poison
        _interrupt(jobs, now)
        Job.objects.filter(pk__in=[job.pk for job in rest]).update(
            lease_token=None,
            lease_until=None,
            due_at=now,
            expiries=F("expiries") + 1,
            seq=F("seq") + 1,
        )
        for job in poison:
            _end_poison(job, now)
    logger.warning(
        "%d lease(s) expired: %d run(s) due again, %d ended as poison",
        len(jobs),
        len(rest),
        len(poison),
    )
    return len(jobs)


def _endable(jobs: Sequence[Job]) -> list[Job]:
    """Those of these jobs whose parents, if they have any, could be locked too.

    Never waited for: these here are locked already, and parents come first.
    """
    rows = Run.objects.filter(pk__in=[job.run_id for job in jobs], replay_of=None)
    parents = dict(rows.exclude(parent=None).values_list("pk", "parent"))
    if not parents:
        return list(jobs)
    waiting = Job.objects.filter(run__in=parents.values())
    alive = set(waiting.values_list("run", flat=True))
    locked = waiting.select_for_update(no_key=True, skip_locked=True)
    free = {job.run_id for job in locked.order_by("pk")}
    return [job for job in jobs if parents.get(job.run_id) not in alive - free]


def _interrupt(jobs: Sequence[Job], now: datetime) -> None:
    """Write an `unknown` attempt for each step in flight, which is due again then.

    What follows is for whoever takes the run: `runs.engine.unknown`.
    """
    rows = list(
        StepRun.objects.filter(
            run__in=[job.run_id for job in jobs], status=StepStatus.RUNNING
        ).select_related("run")
    )
    versions = compiled(row.run.version_id for row in rows)
    attempts = []
    for row in rows:
        version = versions[row.run.version_id]
        if isinstance(version, Exception):
            continue
        node = version.node(row.node_id)
        if node is not None and node.action.sends and not row.verifies:
            attempt = unknown_attempt(row.run_id, row, node, now)
            attempt.step_run_id = row.pk
            attempts.append(attempt)
    DeliveryAttempt.objects.bulk_create(attempts, ignore_conflicts=True)
    StepRun.objects.filter(pk__in=[row.pk for row in rows]).update(
        status=StepStatus.WAITING, waiting_for="retry", due_at=now, interrupted=True
    )
    RunLog.objects.bulk_create(
        RunLog(
            run_id=row.run_id,
            node_id=row.node_id,
            level=RunLog.Level.WARNING,
            message=f"The worker vanished during attempt {row.attempt} of the step.",
        )
        for row in rows
    )


def _end_poison(job: Job, now: datetime) -> None:
    message = (
        f"{job.expiries + 1} workers in a row vanished while they ran this, the last "
        f"{SOLO_EXPIRIES} with nothing else in hand. It will not be tried again by "
        "itself; look at the workers' log, then redrive."
    )
    ending = Ending(RunStatus.FAILED, ErrorInfo("poison", message))
    StepRun.objects.filter(
        run=job.run_id, status__in=(StepStatus.RUNNING, StepStatus.WAITING)
    ).update(status=StepStatus.CANCELLED, finished_at=now, due_at=None)
    end_run(job.run_id, ending, now)
    close_jobs(closings_of([job], ending.status), now)
