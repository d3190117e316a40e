"""Taking due jobs: fair between workflows, within their limits.

The plain claim reads the front of the queue. Only when a few workflows fill the
window, or what may not run yet blocks it, the fair claim takes a share of each workflow
instead, from a cursor that moves over at most 64 of them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from runs.engine import sql
from runs.engine.limits import Limits
from runs.engine.shares import crowded, pick_by_priority, pick_fairly, shares_of
from runs.models import Job

PRIORITIES = Job.PRIORITIES
FAIR_FOR = 1.0  # seconds for which a crowded window keeps the claim fair
KNOWN_FOR = 0.1  # seconds for which a look at the workflows with due jobs serves
WORKFLOWS = 64
FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A due job, locked by the claiming transaction."""

    id: int
    run_id: UUID
    workflow_id: UUID
    priority: int
    due_at: datetime
    seq: int
    signal_count: int
    expiries: int
    holds_slot: bool
    limit: int | None
    team_id: UUID | None
    slug: str
    exclusive_key: str
    holds_key: bool
    wants_answer: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs leased to this drain under one new token.

    `parked`: due jobs that wait for their exclusive key from now on. `contended`: some
    were passed over because another claim decided on their workflow.
    """

    token: UUID
    jobs: tuple[Candidate, ...]
    parked: int = 0
    contended: bool = False


_COLUMNS = """j.id, j.run_id, j.workflow_id, j.priority, j.due_at, j.seq,
       j.signal_count, j.expiries, j.holds_slot, w.max_concurrent_runs, w.team_id,
       w.slug, j.exclusive_key, j.holds_key, j.wants_answer, now()"""
_DUE = "j.lease_token IS NULL AND j.due_at <= now()"

# One probe of the index a priority, so that later dues are never walked over.
_PLAIN = f"""
SELECT {_COLUMNS} FROM (VALUES (0), (1), (2), (3)) AS p (priority)
CROSS JOIN LATERAL (
    SELECT * FROM runs_job j
    WHERE {_DUE} AND j.priority = p.priority AND j.expiries = 0
    ORDER BY j.due_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
) j JOIN workflows_workflow w ON w.id = j.workflow_id"""  # noqa: S608 - constants of this module
_FAIR = f"""
SELECT {_COLUMNS} FROM unnest(%s::uuid[]) AS f (id)
CROSS JOIN unnest(%s::int[], %s::int[]) AS p (priority, share)
CROSS JOIN LATERAL (
    SELECT * FROM runs_job j
    WHERE {_DUE} AND j.workflow_id = f.id AND j.priority = p.priority
          AND j.expiries = 0
    ORDER BY j.due_at LIMIT p.share FOR NO KEY UPDATE SKIP LOCKED
) j JOIN workflows_workflow w ON w.id = j.workflow_id"""  # noqa: S608 - constants of this module
_SUSPECT = f"""
SELECT {_COLUMNS} FROM runs_job j JOIN workflows_workflow w ON w.id = j.workflow_id
WHERE {_DUE} AND j.expiries > 0 ORDER BY j.due_at LIMIT 1
FOR NO KEY UPDATE OF j SKIP LOCKED"""  # noqa: S608 - constants of this module
# A loose scan: a few probes of (workflow, priority, due_at) a workflow, however many
# jobs each has.
_WORKFLOWS = """
WITH RECURSIVE f (id) AS (
    SELECT (SELECT workflow_id FROM runs_job
            WHERE lease_token IS NULL AND workflow_id >= %s
            ORDER BY workflow_id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.workflow_id FROM runs_job j
            WHERE j.lease_token IS NULL AND j.workflow_id > f.id
            ORDER BY j.workflow_id LIMIT 1)
    FROM f WHERE f.id IS NOT NULL
)
SELECT id, EXISTS (SELECT 1 FROM runs_job j WHERE j.lease_token IS NULL
                   AND j.workflow_id = f.id AND j.priority IN (0, 1, 2, 3)
                   AND j.due_at <= {now})
FROM f WHERE id IS NOT NULL LIMIT %s"""


class Claimer:
    """Claims for one drain; remembers what recent claims met. Not thread-safe."""

    def __init__(self) -> None:
        self._fair_until = 0.0
        self._cursor = FIRST
        self._known: list[UUID] = []
        self._known_until = 0.0
        self._blocked: dict[UUID, float] = {}
        self._sqlite = sql.is_sqlite()

    def claim(self, want: int) -> Claim:
        """Lease up to `want` due jobs; call inside a write transaction."""
        moment = time.monotonic()
        fair = moment < self._fair_until
        found = self._fair(want, moment) if fair else self._plain(want)
        limits = Limits(self._blocked, moment)
        pick = pick_fairly if fair else pick_by_priority
        chosen = pick(limits.within(found), want)
        if not fair and crowded(chosen, want):
            self._fair_until = moment + FAIR_FOR
        if len(found) >= want > len(chosen):
            # Jobs that may not run fill the window; what may stands behind them.
            self._fair_until = moment + FAIR_FOR
            taken = {item.id for item in chosen}
            more = [item for item in self._fair(want, moment) if item.id not in taken]
            chosen += pick_fairly(limits.within(more), want - len(chosen))
        return self._lease(chosen, limits)

    def claim_suspect(self) -> Claim:
        """Lease one job whose lease ran out before; its drain runs it alone."""
        found = self._orm_suspect() if self._sqlite else self._select(_SUSPECT, [])
        limits = Limits(self._blocked, time.monotonic())
        return self._lease(limits.within(found), limits)

    # --- finding ----------------------------------------------------------------

    def _plain(self, want: int) -> list[Candidate]:
        if not self._sqlite:
            return self._select(_PLAIN, [want])
        found = []
        for priority in PRIORITIES:
            found += self._orm({"priority": priority}, want)
        return found

    def _fair(self, want: int, moment: float) -> list[Candidate]:
        workflows = [
            item for item in self._workflows() if self._blocked.get(item, 0.0) <= moment
        ]
        found: dict[int, Candidate] = {}
        share = 0
        while workflows and len(found) < want:
            # What some cannot fill goes to those that gave their whole share.
            share += -(-(want - len(found)) // len(workflows))
            shares = shares_of(share, want)
            more = self._of(workflows, shares)
            found |= {item.id: item for item in more}
            counts = Counter((item.workflow_id, item.priority) for item in more)
            filled = {
                workflow
                for (workflow, priority), count in counts.items()
                if count == shares[priority]
            }
            workflows = [item for item in workflows if item in filled]
        return list(found.values())

    def _workflows(self) -> list[UUID]:
        """Those with due jobs among at most 64, from where the last look ended."""
        moment = time.monotonic()
        if moment < self._known_until:
            return self._known
        found = self._scan(self._cursor)
        if len(found) < WORKFLOWS and self._cursor != FIRST:
            found = dict([*found.items(), *self._scan(FIRST).items()][:WORKFLOWS])
        last = next(reversed(found)).int + 1 if len(found) == WORKFLOWS else 0
        self._cursor = UUID(int=last % 2**128)
        self._known = [workflow for workflow, due in found.items() if due]
        if len(found) < WORKFLOWS:  # all there are; otherwise each claim moves on
            self._known_until = moment + KNOWN_FOR
        return self._known

    def _scan(self, first: UUID) -> dict[UUID, bool]:
        """Workflows from `first` on, in order, and whether each has a due job."""
        start = first.hex if self._sqlite else first
        with connection.cursor() as cursor:
            cursor.execute(_WORKFLOWS.replace("{now}", sql.now()), [start, WORKFLOWS])
            rows = cursor.fetchall()
        return {
            item if isinstance(item, UUID) else UUID(item): bool(due)
            for item, due in rows
        }

    def _of(
        self, workflows: Sequence[UUID], shares: Mapping[int, int]
    ) -> list[Candidate]:
        if not self._sqlite:
            values = [list(workflows), list(shares), list(shares.values())]
            return self._select(_FAIR, values)
        due = Job.objects.filter(lease_token=None, due_at__lte=Now(), expiries=0)
        present = [item for item in PRIORITIES if due.filter(priority=item).exists()]
        found = []
        for workflow in workflows:
            for item in present:
                where = {"workflow": workflow, "priority": item}
                found += self._orm(where, shares[item])
        return found

    @staticmethod
    def _select(statement: str, values: list[Any]) -> list[Candidate]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return [Candidate(*row) for row in cursor.fetchall()]

    def _orm(self, where: dict[str, Any], limit: int) -> list[Candidate]:
        rows = Job.objects.filter(
            lease_token=None, due_at__lte=Now(), expiries=0, **where
        )
        return _candidates(rows, limit)

    def _orm_suspect(self) -> list[Candidate]:
        rows = Job.objects.filter(lease_token=None, due_at__lte=Now(), expiries__gt=0)
        return _candidates(rows, 1)

    # --- taking -------------------------------------------------------------------

    @staticmethod
    def _lease(jobs: Sequence[Candidate], limits: Limits) -> Claim:
        token = uuid4()
        if jobs:
            chosen, keys = sql.among([item.id for item in jobs])
            sql.run(
                "UPDATE runs_job SET lease_token = %s, "  # noqa: S608 - no values in it
                f"lease_until = {sql.after(settings.LEASE)} WHERE id {chosen}",
                [sql.key(token), *keys],
            )
        parked = limits.settle(jobs)
        return Claim(token, tuple(jobs), parked, limits.contended)


def _candidates(rows: Any, limit: int) -> list[Candidate]:
    columns = (
        "id", "run_id", "workflow_id", "priority", "due_at", "seq", "signal_count",
        "expiries", "holds_slot", "workflow__max_concurrent_runs", "workflow__team_id",
        "workflow__slug", "exclusive_key", "holds_key", "wants_answer",
    )  # fmt: skip
    found = rows.order_by("due_at").values_list(*columns)[:limit]
    now = timezone.now()
    return [Candidate(*(*row, now)) for row in found]
