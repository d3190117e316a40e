"""The engine's transaction: fence, take results, plan, write in bulk.

`Batch` gathers what is to be written for many runs; `lock` is the fence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from automate.lib.jsonio import storable
from runs.engine import bulk, sql
from runs.engine.draft import Draft, Ending
from runs.engine.held import Held
from runs.models import DeliveryAttempt, Run, RunLog, StepRun
from runs.states import FINAL_RUN, AttemptOutcome, RunStatus, StepStatus

logger = logging.getLogger(__name__)

# What a new row needs; the rest has defaults in the database.
BEGUN = (
    "run",
    "node_id",
    "kind",
    "status",
    "attempt",
    "generation",
    "idempotency_key",
    "started_at",
)
SETTLED = (
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
ENTIRE = tuple(dict.fromkeys(BEGUN + SETTLED))
AGAIN = ("status", "attempt", "waiting_for", "due_at", "interrupted", "started_at")
ATTEMPT = tuple(
    item.name for item in DeliveryAttempt._meta.concrete_fields if item.name != "id"
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


def lock(runs: Iterable[Held]) -> tuple[dict[int, Locked], datetime | None]:
    """Lock these runs' jobs in the order of their ids; call inside a transaction.

    Every transaction that changes a run's state begins here. One statement, one
    order: two of them that meet wait for each other instead of deadlocking. Also
    returns the database's time, when any job was left.
    """
    runs = list(runs)
    chosen, values = sql.among([item.job_id for item in runs])
    suffix = "" if sql.is_sqlite() else " FOR NO KEY UPDATE"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, lease_token, signal_count, {sql.now()} FROM runs_job "  # noqa: S608 - no values in it
            f"WHERE id {chosen} ORDER BY id{suffix}",
            values,
        )
        rows = cursor.fetchall()
    found = {row[0]: row for row in rows}
    locked = {}
    for item in runs:
        row = found.get(item.job_id)
        held = row is not None and row[1] == sql.key(item.token)
        locked[item.job_id] = Locked(held, row[2] if row else 0)
    if sql.is_sqlite() or not rows:
        return locked, None
    return locked, rows[0][3]


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
        fresh: dict[tuple[str, ...], list[StepRun]] = {}
        known: dict[tuple[str, ...], list[StepRun]] = {}
        for draft in self.drafts:
            for row in draft.changed.values():
                if row.pk is None:
                    begun = row.status == StepStatus.RUNNING
                    names = BEGUN if begun else ENTIRE
                    fresh.setdefault(names, []).append(row)
                else:
                    known.setdefault(_columns(row), []).append(row)
        for names, rows in fresh.items():
            bulk.insert(rows, names)
        for names, rows in known.items():
            bulk.update(rows, names)
        attempts = []
        for draft in self.drafts:
            for node_id, attempt in draft.attempts:
                attempt.step_run_id = draft.rows[node_id].pk
                attempts.append(attempt)
        bulk.insert(attempts, ATTEMPT)

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
            chosen, values = sql.among(fresh)
            sql.run(
                "UPDATE runs_run SET status = 'running', "  # noqa: S608 - no values in it
                f"started_at = %s WHERE id {chosen} AND status = 'queued'",
                [_moment(self.now), *values],
            )
        ended = [draft for draft in self.drafts if draft.ending is not None]
        plain = [
            draft.held.run_id for draft in ended if _is_plain_success(draft.ending)
        ]
        if plain:
            chosen, values = sql.among(plain)
            sql.run(
                "UPDATE runs_run SET status = 'succeeded', "  # noqa: S608 - no values in it
                f"finished_at = %s WHERE id {chosen} AND status = 'running'",
                [_moment(self.now), *values],
            )
        for draft in ended:
            if not _is_plain_success(draft.ending):
                end_run(draft.held.run_id, draft.ending, self.now)

    def _jobs(self) -> None:
        ended = [item.held.job_id for item in self.drafts if item.ending is not None]
        if ended:
            delete_jobs(ended)
        live = [draft for draft in self.drafts if draft.ending is None]
        survived = [
            draft.held.job_id for draft in live if draft.held.solo and draft.settled
        ]
        if survived:
            _forgive(survived)
        kept = [
            draft.held.job_id
            for draft in live
            if not draft.released and not draft.fresh_lease
        ]
        if kept:
            _bump(kept, f"lease_until = {sql.after(settings.LEASE)}")
        by_due: dict[datetime, list[int]] = {}
        for draft in live:
            if draft.released:
                due = draft.due_at or self.now
                by_due.setdefault(due, []).append(draft.held.job_id)
        for due, ids in by_due.items():
            _bump(
                ids,
                "lease_token = NULL, lease_until = NULL, due_at = %s",
                _moment(due),
            )


def _columns(row: StepRun) -> tuple[str, ...]:
    """What to write of a known row; what was never loaded is never changed."""
    if row.status == StepStatus.RUNNING:
        return AGAIN
    missing = row.get_deferred_fields()
    return tuple(name for name in SETTLED if name not in missing)


def _moment(value: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(value)


def delete_jobs(ids: Sequence[int]) -> None:
    """The runs of these jobs have ended in this transaction."""
    chosen, values = sql.among(ids)
    sql.run(f"DELETE FROM runs_job WHERE id {chosen}", values)  # noqa: S608 - no values in it


def _forgive(ids: Sequence[int]) -> None:
    """A result came: these did not kill their worker. To begin a step is no proof."""
    chosen, values = sql.among(ids)
    sql.run(
        f"UPDATE runs_job SET expiries = 0 WHERE id {chosen}",  # noqa: S608 - no values in it
        values,
    )


def _bump(ids: Sequence[int], changes: str, *values: Any) -> None:
    chosen, keys = sql.among(ids)
    sql.run(
        f"UPDATE runs_job SET seq = seq + 1, {changes} "  # noqa: S608 - no values in it
        f"WHERE id {chosen}",
        [*values, *keys],
    )


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
    locked, _ = lock([held])
    if not locked[held.job_id].held:
        return False
    StepRun.objects.filter(
        run=held.run_id, status__in=(StepStatus.RUNNING, StepStatus.WAITING)
    ).update(status=StepStatus.CANCELLED, finished_at=now, due_at=None)
    ended = end_run(held.run_id, ending, now)
    delete_jobs([held.job_id])
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
