"""What one transaction of a drain writes for many runs: in bulk, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from runs.engine import answers, bulk, children, spawn, sql, waits
from runs.engine.clock import database_now
from runs.engine.draft import Draft
from runs.engine.ending import Ending, close_jobs, end_run, end_succeeded
from runs.engine.fence import lock
from runs.engine.held import Held
from runs.engine.loops import Births
from runs.models import DeliveryAttempt, RunLog, StepRun
from runs.payloads import refer
from runs.states import RunStatus, StepStatus

AT_LEAST_DAILY = timedelta(days=1)  # is a run looked at that waits without an end

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
    "verifies",
    "due_at",
    "input",
    "output",
    "error_class",
    "error_message",
    "started_at",
    "finished_at",
)
# Only as the wait begins: afterwards the children's ends count, in the database.
BEGAN_CHILDREN = ("children_left", "children_stop")
ENTIRE = tuple(dict.fromkeys(BEGUN + SETTLED))
AGAIN = (
    "status",
    "attempt",
    "waiting_for",
    "due_at",
    "interrupted",
    "verifies",
    "started_at",
)
ATTEMPT = tuple(
    item.name for item in DeliveryAttempt._meta.concrete_fields if item.name != "id"
)


@dataclass(slots=True)
class Batch:
    """Everything that one transaction writes, in bulk and in a fixed order."""

    now: datetime
    drafts: list[Draft] = field(default_factory=list)

    def write(self) -> None:
        """Write all drafts. Raises what the database raises; nothing is half done."""
        kept = [(item.held.run_id, kept) for item in self.drafts for kept in item.kept]
        if kept:
            refer(kept)
        self._steps()
        waits.write(
            (draft.held.run_id, node_id, outcome)
            for draft in self.drafts
            for node_id, outcome in draft.tokens
        )
        self._logs()
        spawn.store(self._births(), self.now)
        self._runs()
        self._jobs()
        waited = [item for item in self.drafts if item.held.wants_answer]
        if waited:
            answers.settled(
                (item.held.run_id, item.changed.values()) for item in waited
            )

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

    def _births(self) -> Iterator[tuple[Held, Births]]:
        """Children to be started, but none that would wait for nothing."""
        for draft in self.drafts:
            for births in draft.births:
                if draft.ending is None or not births.loop.waits:
                    yield draft.held, births

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
                [sql.moment(self.now), *values],
            )
        ended = [draft for draft in self.drafts if draft.ending is not None]
        plain = [
            draft.held.run_id
            for draft in ended
            if draft.ending is not None and draft.ending.is_plain_success
        ]
        if plain:
            chosen, values = sql.among(plain)
            sql.run(
                "UPDATE runs_run SET status = 'succeeded', "  # noqa: S608 - no values in it
                f"finished_at = %s WHERE id {chosen} AND status = 'running'",
                [sql.moment(self.now), *values],
            )
        good = []
        for draft in ended:
            if draft.ending is None or draft.ending.is_plain_success:
                continue
            if draft.ending.status is RunStatus.SUCCEEDED:
                good.append((draft.held.run_id, draft.ending))
            else:
                end_run(draft.held.run_id, draft.ending, self.now)
        end_succeeded(good, self.now)

    def _jobs(self) -> None:
        close_jobs(
            [
                item.held.closing(item.ending.status)
                for item in self.drafts
                if item.ending is not None
            ],
            self.now,
        )
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
        by_due: dict[tuple[datetime, bool], list[int]] = {}
        for draft in live:
            if draft.released:
                due = draft.due_at or self.now + AT_LEAST_DAILY
                key = (due, draft.gives_up_slot)
                by_due.setdefault(key, []).append(draft.held.job_id)
        for (due, gives_up), ids in by_due.items():
            slot = ", holds_slot = false" if gives_up else ""
            _bump(
                ids,
                f"lease_token = NULL, lease_until = NULL, due_at = %s{slot}",
                sql.moment(due),
            )


def _columns(row: StepRun) -> tuple[str, ...]:
    """What to write of a known row; what was never loaded is never changed."""
    if row.status == StepStatus.RUNNING:
        return AGAIN
    missing = row.get_deferred_fields()
    names = SETTLED + BEGAN_CHILDREN if children.waits(row) else SETTLED
    return tuple(name for name in names if name not in missing)


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


def end_alone(held: Held, ending: Ending) -> bool:
    """End one run in the current transaction, without a draft.

    For a run whose own data stopped it: it cannot be planned, rendered or written.
    False when its lease had passed on, or it had ended.
    """
    now = database_now()
    locked, _ = lock([held])
    if not locked[held.job_id].held:
        return False
    StepRun.objects.filter(
        run=held.run_id, status__in=(StepStatus.RUNNING, StepStatus.WAITING)
    ).update(status=StepStatus.CANCELLED, finished_at=now, due_at=None)
    ended = end_run(held.run_id, ending, now)
    close_jobs([held.closing(ending.status)], now)
    return ended
