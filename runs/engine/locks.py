"""Locking jobs outside a drain: in the one order, with those of the runs' parents."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from runs.models import Job, Run


def lock_runs(run_ids: Collection[UUID]) -> list[Job]:
    """Lock the jobs of these runs and of those that wait for their ends.

    Call inside a transaction that may end the runs, before it changes anything.
    Returns the jobs of the runs themselves, those that are left.
    """
    parents = Run.objects.filter(pk__in=run_ids, parent__isnull=False, replay_of=None)
    jobs = Job.objects.filter(Q(run__in=run_ids) | Q(run__in=parents.values("parent")))
    locked = list(jobs.order_by("pk").select_for_update(no_key=True))
    wanted = set(run_ids)
    return [job for job in locked if job.run_id in wanted]
