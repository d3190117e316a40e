"""Taking due jobs: fair between workflows, within their limits.

The plain claim reads the front of the queue. Only when one workflow fills the window,
or a limited one blocks it, the fair claim takes a share of each workflow instead, from
a cursor that moves over at most 64 of them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from runs.engine import sql
from runs.models import Job

PRIORITIES = Job.PRIORITIES
FAIR_FOR = 1.0  # seconds for which a crowded window keeps the claim fair
BLOCKED_FOR = 0.25  # seconds for which a workflow at its limit is passed over
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
    now: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs leased to this drain under one new token."""

    token: UUID
    jobs: tuple[Candidate, ...]


_COLUMNS = """j.id, j.run_id, j.workflow_id, j.priority, j.due_at, j.seq,
       j.signal_count, j.expiries, j.holds_slot, w.max_concurrent_runs, w.team_id,
       w.slug, now()"""
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
CROSS JOIN LATERAL (
    SELECT * FROM runs_job j
    WHERE {_DUE} AND j.workflow_id = f.id AND j.expiries = 0
    ORDER BY j.due_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
) j JOIN workflows_workflow w ON w.id = j.workflow_id"""  # noqa: S608 - constants of this module
_SUSPECT = f"""
SELECT {_COLUMNS} FROM runs_job j JOIN workflows_workflow w ON w.id = j.workflow_id
WHERE {_DUE} AND j.expiries > 0 ORDER BY j.due_at LIMIT 1
FOR NO KEY UPDATE OF j SKIP LOCKED"""  # noqa: S608 - constants of this module
# A loose scan: one probe of (workflow, due_at) a workflow, however many jobs each has.
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
                   AND j.workflow_id = f.id AND j.due_at <= {now})
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
        room: dict[UUID, int] = {}
        chosen = _pick(self._within_limits(found, moment, room), want)
        if not fair and _crowded(chosen, want):
            self._fair_until = moment + FAIR_FOR
        if len(found) >= want > len(chosen):
            # Jobs that may not run fill the window; what may stands behind them.
            self._fair_until = moment + FAIR_FOR
            taken = {item.id for item in chosen}
            more = [item for item in self._fair(want, moment) if item.id not in taken]
            allowed = self._within_limits(more, moment, room)
            chosen += _pick(allowed, want - len(chosen))
        return self._lease(chosen)

    def claim_suspect(self) -> Claim:
        """Lease one job whose lease ran out before; its drain runs it alone."""
        found = self._orm_suspect() if self._sqlite else self._select(_SUSPECT, [])
        return self._lease(self._within_limits(found, time.monotonic(), {}))

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
            more = self._of(workflows, share)
            found |= {item.id: item for item in more}
            counts = Counter(item.workflow_id for item in more)
            workflows = [item for item in workflows if counts[item] == share]
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

    def _of(self, workflows: Sequence[UUID], each: int) -> list[Candidate]:
        if not self._sqlite:
            return self._select(_FAIR, [list(workflows), each])
        found = []
        for workflow in workflows:
            found += self._orm({"workflow": workflow}, each)
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

    # --- choosing ----------------------------------------------------------------

    def _within_limits(
        self, found: Iterable[Candidate], moment: float, room: dict[UUID, int]
    ) -> list[Candidate]:
        """Those that their workflow's `max_concurrent_runs` has room for.

        The workflow is locked before its slots are counted: without the lock two
        drains count the same free slot. `room` is what this claim has left of each.
        """
        allowed: list[Candidate] = []
        for item in found:
            if item.limit is None or item.holds_slot:
                allowed.append(item)
                continue
            if item.workflow_id not in room:
                room[item.workflow_id] = self._room(item.workflow_id, item.limit)
            if room[item.workflow_id] > 0:
                room[item.workflow_id] -= 1
                allowed.append(item)
            else:
                self._blocked[item.workflow_id] = moment + BLOCKED_FOR
        return allowed

    def _room(self, workflow_id: UUID, limit: int) -> int:
        if not self._sqlite:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
                    [f"automate:{workflow_id}"],
                )
                if not cursor.fetchone()[0]:
                    return 0
        held = Job.objects.filter(workflow_id=workflow_id, holds_slot=True).count()
        return limit - held

    # --- taking -------------------------------------------------------------------

    def _lease(self, jobs: Sequence[Candidate]) -> Claim:
        token = uuid4()
        if jobs:
            chosen, keys = sql.among([item.id for item in jobs])
            sql.run(
                "UPDATE runs_job SET lease_token = %s, "  # noqa: S608 - no values in it
                f"lease_until = {sql.after(settings.LEASE)} WHERE id {chosen}",
                [sql.key(token), *keys],
            )
            limited = [item.id for item in jobs if item.limit is not None]
            if limited:
                Job.objects.filter(pk__in=limited).update(holds_slot=True)
        return Claim(token, tuple(jobs))


def _candidates(rows: Any, limit: int) -> list[Candidate]:
    columns = (
        "id", "run_id", "workflow_id", "priority", "due_at", "seq", "signal_count",
        "expiries", "holds_slot", "workflow__max_concurrent_runs", "workflow__team_id",
        "workflow__slug",
    )  # fmt: skip
    found = rows.order_by("due_at").values_list(*columns)[:limit]
    now = timezone.now()
    return [Candidate(*(*row, now)) for row in found]


def _crowded(chosen: Sequence[Candidate], want: int) -> bool:
    """True when one workflow fills a claim, behind which others may wait."""
    if len(chosen) < want or want < 2:
        return False
    most = Counter(item.workflow_id for item in chosen).most_common(1)
    return most[0][1] > len(chosen) * 3 // 4


def _pick(allowed: list[Candidate], want: int) -> list[Candidate]:
    """`want` of them: by priority, but a tenth by age alone, so that none starves."""
    if len(allowed) <= want:
        return allowed
    by_priority = sorted(allowed, key=lambda item: (item.priority, item.due_at))
    by_age = sorted(allowed, key=lambda item: item.due_at)
    chosen = {item.id: item for item in by_priority[: want - want // 10]}
    for item in by_age:
        if len(chosen) == want:
            break
        chosen.setdefault(item.id, item)
    return list(chosen.values())
