"""The engine's transaction: fence, take results, plan, write in bulk.

`Batch` gathers what is to be written for many runs; `lock` is the fence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from automate.lib.jsonio import storable
from runs.engine.draft import Draft, Ending
from runs.engine.held import Held
from runs.models import DeliveryAttempt, Job, Run, RunLog, StepRun
from runs.states import FINAL_RUN, AttemptOutcome, RunStatus, StepStatus

logger = logging.getLogger(__name__)

STEP_COLUMNS = (
    "status",
    "attempt",
    "waiting_for",
    "port",
    "interrupted",
    "exhausted",
    "due_at",
    "input",
    "output",
    "error_class",
    "error_message",
    "started_at",
    "finished_at",
)


@dataclass(frozen=True, slots=True)
class Locked:
    """What the fence found of one job; `held` says whether the lease is still ours."""

    held: bool
    signal_count: int = 0


def database_now() -> datetime:
    """The database's clock, which all leases and due times go by."""
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def lock(runs: Iterable[Held]) -> dict[int, Locked]:
    """Lock these runs' jobs in the order of their ids; call inside a transaction.

    Every transaction that changes a run's state begins here. One statement, one
    order: two of them that meet wait for each other instead of deadlocking.
    """
    runs = list(runs)
    rows = (
        Job.objects.filter(pk__in=[item.job_id for item in runs])
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", "lease_token", "signal_count")
    )
    found = {pk: (token, signals) for pk, token, signals in rows}
    locked = {}
    for item in runs:
        token, signals = found.get(item.job_id, (None, 0))
        locked[item.job_id] = Locked(token == item.token, signals)
    return locked


@dataclass(slots=True)
class Batch:
    """Everything that one transaction writes, in bulk and in a fixed order."""

    now: datetime
    drafts: list[Draft] = field(default_factory=list)

    def write(self) -> None:
        """Write all drafts. Raises what the database raises; nothing is half done."""
        self._steps()
        self._logs()
        self._runs()
        self._jobs()

    def _steps(self) -> None:
        rows = [row for draft in self.drafts for row in draft.changed.values()]
        if rows:
            StepRun.objects.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=["run", "node_id"],
                update_fields=list(STEP_COLUMNS),
            )
        attempts = []
        for draft in self.drafts:
            for node_id, attempt in draft.attempts:
                attempt.step_run_id = draft.rows[node_id].pk
                attempts.append(attempt)
        if attempts:
            DeliveryAttempt.objects.bulk_create(attempts)

    def _logs(self) -> None:
        lines = [line for draft in self.drafts for line in draft.logs]
        if lines:
            RunLog.objects.bulk_create(lines)

    def _runs(self) -> None:
        fresh = [
            draft.held.run_id
            for draft in self.drafts
            if draft.held.run.status == RunStatus.QUEUED
        ]
        if fresh:
            Run.objects.filter(pk__in=fresh, status=RunStatus.QUEUED).update(
                status=RunStatus.RUNNING, started_at=self.now
            )
        ended = [draft for draft in self.drafts if draft.ending is not None]
        plain = [
            draft.held.run_id for draft in ended if _is_plain_success(draft.ending)
        ]
        if plain:
            Run.objects.filter(pk__in=plain, status=RunStatus.RUNNING).update(
                status=RunStatus.SUCCEEDED, finished_at=self.now
            )
        for draft in ended:
            if not _is_plain_success(draft.ending):
                end_run(draft.held.run_id, draft.ending, self.now)

    def _jobs(self) -> None:
        ended = [draft for draft in self.drafts if draft.ending is not None]
        if ended:
            Job.objects.filter(pk__in=[item.held.job_id for item in ended]).delete()
        live = [draft for draft in self.drafts if draft.ending is None]
        kept = [
            draft.held.job_id
            for draft in live
            if not draft.released and not draft.fresh_lease
        ]
        if kept:
            until = Now() + timedelta(seconds=settings.LEASE)
            _bump(kept, lease_until=until)
        by_due: dict[datetime, list[int]] = {}
        for draft in live:
            if draft.released:
                due = draft.due_at or self.now
                by_due.setdefault(due, []).append(draft.held.job_id)
        for due, ids in by_due.items():
            _bump(ids, lease_token=None, lease_until=None, due_at=due)


def _bump(ids: Sequence[int], **changes: Any) -> None:
    Job.objects.filter(pk__in=ids).update(seq=F("seq") + 1, expiries=0, **changes)


def _is_plain_success(ending: Ending | None) -> bool:
    return (
        ending is not None
        and ending.status is RunStatus.SUCCEEDED
        and ending.output is None
    )


def end_run(run_id: Any, ending: Ending | None, now: datetime) -> bool:
    """running -> final. False when the run had ended already: final states stay."""
    assert ending is not None  # noqa: S101 - callers pass those that end
    error = ending.error
    open_run = Run.objects.filter(pk=run_id).exclude(status__in=FINAL_RUN)
    return (
        open_run.update(
            status=ending.status,
            finished_at=now,
            output=ending.output,
            error_class=error.error_class[:100] if error else "",
            error_message=storable(error.message) if error else "",
            error_fingerprint=ending.fingerprint,
        )
        == 1
    )


def end_alone(held: Held, ending: Ending) -> bool:
    """End one run in the current transaction, without a draft.

    For a run whose own data stopped it: it cannot be planned, rendered or written.
    """
    now = database_now()
    if not lock([held])[held.job_id].held:
        return False
    StepRun.objects.filter(
        run=held.run_id, status__in=(StepStatus.RUNNING, StepStatus.WAITING)
    ).update(status=StepStatus.CANCELLED, finished_at=now, due_at=None)
    ended = end_run(held.run_id, ending, now)
    Job.objects.filter(pk=held.job_id).delete()
    return ended


def keep_late(held: Held, attempts: Iterable[tuple[str, DeliveryAttempt]]) -> None:
    """History of a lost lease: the answer replaces the `unknown` written for it.

    State is fenced, history is not. The state that the results would have made is
    discarded, and a log line says so.
    """
    rows = dict(StepRun.objects.filter(run=held.run_id).values_list("node_id", "pk"))
    for node_id, attempt in attempts:
        if node_id not in rows:
            continue
        attempt.step_run_id = rows[node_id]
        attempt.next_due_at = None
        _replace_unknown(attempt)
        RunLog.objects.create(
            run_id=held.run_id,
            node_id=node_id,
            level=RunLog.Level.WARNING,
            message=f"A late result of attempt {attempt.number} was discarded: "
            "the run had passed to another worker or had ended.",
        )


def _replace_unknown(attempt: DeliveryAttempt) -> None:
    names = [
        item.name
        for item in DeliveryAttempt._meta.concrete_fields
        if item.name not in ("id", "run", "step_run", "number")
    ]
    written_off = DeliveryAttempt.objects.filter(
        step_run=attempt.step_run_id,
        number=attempt.number,
        outcome=AttemptOutcome.UNKNOWN,
        error_kind="interrupted",
    )
    if not written_off.update(**{name: getattr(attempt, name) for name in names}):
        DeliveryAttempt.objects.bulk_create([attempt], ignore_conflicts=True)
