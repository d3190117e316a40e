"""What is thrown away in time; `manage.py purge` and the daily task call `purge`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from automate.accounts.models import RateWindow
from automate.lib.database import repeat, write_transaction
from runs import payloads
from runs.models import Firing, IdempotencyKey, RateBucket, Run, Worker
from workflows.models import Workflow

# Small enough that other writers wait for milliseconds, not seconds.
BATCH = 200
WORKER_IS_GONE = timedelta(hours=1)
# Longer than any window, and than a bucket's debt may be of use.
LIMITS_STAY = timedelta(days=1)
# However short the retention: what has fired must be known when it seems due again.
FIRINGS_STAY = timedelta(days=7)

Old = Callable[[datetime], Iterator[models.QuerySet[Any]]]
_kinds: dict[str, Old] = {}


def purges(name: str) -> Callable[[Old], Old]:
    """Register what `name` means to a purge: given now, the rows that may go."""

    def register(old: Old) -> Old:
        _kinds[name] = old
        return old

    return register


def purge(*, dry_run: bool = False, now: datetime | None = None) -> dict[str, int]:
    """Delete what has passed its retention, in batches; how many rows of each kind.

    A dry run only counts, also the runs that stay for the sake of others that stem
    from them. The audit is kept. Two purges at once disturb each other
    no more than any two writers.
    """
    now = now or timezone.now()
    count = models.QuerySet.count if dry_run else _delete
    gone = {name: sum(count(rows) for rows in old(now)) for name, old in _kinds.items()}
    while not dry_run and (more := sum(_delete(rows) for rows in _old_runs(now))):
        gone["runs"] += more  # of other workflows than those that stemmed from them
    return {**gone, "orphaned_payloads": payloads.collect(now, dry_run=dry_run)}


def site_cutoff(now: datetime) -> datetime:
    """What is older than this has passed AUTOMATE_RETENTION_DAYS."""
    return _before(now, settings.RETENTION_DAYS)


def _before(now: datetime, days: int) -> datetime:
    try:
        return now - timedelta(days=days)
    except OverflowError:  # "for ever", as people write it
        return datetime.min.replace(tzinfo=now.tzinfo)


def _delete(rows: models.QuerySet[Any]) -> int:
    """Delete them batch by batch, each in a transaction of its own."""
    total = 0
    if rows.model is Run:
        rows = rows.filter(_nothing_stems_from_it())
    while ids := list(rows.values_list("pk", flat=True)[:BATCH]):
        repeat(partial(_delete_batch, rows, ids))
        total += len(ids)
    return total


def _delete_batch(rows: models.QuerySet[Any], ids: list[Any]) -> None:
    with write_transaction():
        used = payloads.used_by(ids) if rows.model is Run else set()
        rows.model._base_manager.filter(pk__in=ids).delete()
        payloads.release(used)


@purges("runs")
def _old_runs(now: datetime) -> Iterator[models.QuerySet[Run]]:
    """Finished runs past the retention of their workflow, else of the site."""
    own = Workflow.objects.exclude(retention_days=None)
    days = own.values_list("retention_days", flat=True).distinct().order_by()
    for number in days:
        if number is not None:
            yield _ended(_before(now, number), Q(workflow__retention_days=number))
    yield _ended(site_cutoff(now), Q(workflow__retention_days=None))


def _ended(cutoff: datetime, where: Q) -> models.QuerySet[Run]:
    # A run stays as long as its result is still to be collected.
    parents = Run.objects.unfinished().filter(pk=OuterRef("parent"))
    runs = Run.objects.filter(where, finished_at__lt=cutoff)
    return runs.filter(~Exists(parents)).order_by("finished_at")


def _nothing_stems_from_it() -> Q:
    """No redrive of the run and no run below it is left, finished or not.

    Those read what lies in it (a redrive its children, an item the steps around it),
    and their readers are not to see its secrets. So they go first. Three probes of
    indexes, however many there are.
    """
    links = ("root_run", "parent", "replay_of")
    return ~Q(
        *[Exists(Run.objects.filter(**{n: OuterRef("pk")})) for n in links],
        _connector=Q.OR,
    )


@purges("idempotency_keys")
def _expired_keys(now: datetime) -> Iterator[models.QuerySet[IdempotencyKey]]:
    yield IdempotencyKey.objects.filter(expires_at__lte=now)


@purges("firings")
def _old_firings(now: datetime) -> Iterator[models.QuerySet[Firing]]:
    cutoff = min(site_cutoff(now), now - FIRINGS_STAY)
    yield Firing.objects.filter(scheduled_for__lt=cutoff).order_by("scheduled_for")


@purges("workers")
def _gone_workers(now: datetime) -> Iterator[models.QuerySet[Worker]]:
    yield Worker.objects.filter(beat_at__lt=now - WORKER_IS_GONE)


@purges("rate_windows")
def _old_windows(now: datetime) -> Iterator[models.QuerySet[RateWindow]]:
    yield RateWindow.objects.filter(used_at__lt=now - LIMITS_STAY)


@purges("rate_buckets")
def _old_buckets(now: datetime) -> Iterator[models.QuerySet[RateBucket]]:
    """A bucket without a row is full, as one is that was left alone for so long."""
    yield RateBucket.objects.filter(next_at__lt=now - LIMITS_STAY)


@purges("sessions")
def _expired_sessions(now: datetime) -> Iterator[models.QuerySet[Session]]:
    yield Session.objects.filter(expire_date__lt=now)
