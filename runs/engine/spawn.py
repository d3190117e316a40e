"""Storing child runs with their jobs: a chunk of a loop's items in one statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID

from django.db import connection, models, transaction

from automate.lib import jsonio
from automate.lib.encryption import EncryptedField
from automate.lib.payloads import get_ring
from runs.engine import sql, takeover, wake
from runs.engine.held import Held
from runs.engine.loops import Births
from runs.models import Job, Run
from runs.payloads import Kept, keep_body, refer
from runs.redaction import inherited

EACH = ("id", "item_index", "body")  # the columns in which siblings differ


def store(births: Iterable[tuple[Held, Births]], now: datetime) -> None:
    """Store these children: as many due as may run at once, the others held back.

    A child that is there already stays as it is: run_child_once.
    """
    stored = False
    for held, item in births:
        if item.children:
            stored = True
            _keep_secrets(held)
            _store(held, item, now)
    if stored:
        transaction.on_commit(wake.notify)


def _keep_secrets(held: Held) -> None:
    """Keep what the children must hide; once for all of them, with their parent.

    No statement where the parent was given nothing under the name of a secret.
    """
    given = held.supplies.given
    if not given <= inherited(held.run):
        Run.objects.filter(pk=held.run_id).update(hidden=sorted(given))


def _store(held: Held, births: Births, now: datetime) -> None:
    room = births.loop.concurrency
    if not births.first:
        room -= _running(held.run_id, births.node_id)
    same = _same(held, births, now)
    bodies: dict[UUID, Any] = {
        birth.id: jsonio.dumps(birth.input).encode() for birth in births.children
    }
    kept = _kept(births, bodies)
    bodies |= {run_id: item.value for run_id, item in kept.items()}
    if connection.vendor == "sqlite":
        _insert_sqlite(same, births, bodies, held.priority, max(room, 0), now)
    else:
        _insert_postgresql(same, births, bodies, held.priority, max(room, 0))
    if kept:
        there = Run.objects.filter(pk__in=kept).values_list("pk", flat=True)
        refer((run_id, kept[run_id]) for run_id in there)
    pairs = {item.goes_on: item.id for item in births.children if item.goes_on}
    if pairs:
        takeover.carry(pairs)


def _kept(births: Births, bodies: Mapping[UUID, bytes]) -> dict[UUID, Kept]:
    """What leaves its row: a called run's large input, where that awaits no network.

    An item stays: it is small enough, and read at each claim.
    """
    if births.loop.callee is None or get_ring().writer.external:
        return {}
    kept = {run_id: keep_body(body) for run_id, body in bodies.items()}
    return {run_id: item for run_id, item in kept.items() if item is not None}


def _running(parent_id: UUID, node_id: str) -> int:
    """How many children of the step live and are not held back."""
    jobs = Job.objects.filter(run__parent=parent_id, run__parent_node=node_id)
    return jobs.filter(run__replay_of=None).exclude(due_at=sql.FAR).count()


def _same(held: Held, births: Births, now: datetime) -> Run:
    """A child without what its siblings do not share."""
    parent, callee = held.run, births.loop.callee
    child = Run(
        workflow_id=callee.workflow_id if callee else parent.workflow_id,
        version_id=callee.version_id if callee else parent.version_id,
        parent_id=held.run_id,
        parent_node=births.node_id,
        depth=parent.depth + 1,
        root_run_id=parent.root_run_id or held.run_id,
        generation=parent.generation,
        content_type="application/json",
        traceparent=parent.traceparent,
        variables=dict(births.loop.variables),
        deadline=_deadline(held, births, now),
    )
    child.item_index = None if callee else 0
    return child


def _deadline(held: Held, births: Births, now: datetime) -> datetime | None:
    """Its parent's; of another workflow's run also that workflow's own."""
    callee, parents = births.loop.callee, held.run.deadline
    if callee is None:
        return parents
    own = now + timedelta(seconds=callee.run_timeout)
    return own if parents is None or not births.loop.waits else min(own, parents)


# --- PostgreSQL ---------------------------------------------------------------------


@cache
def _fields() -> tuple[models.Field[Any, Any], ...]:
    computed = {*EACH, "created_at"}
    return tuple(
        item for item in Run._meta.concrete_fields if item.name not in computed
    )


@cache
def _statement() -> str:
    columns = ", ".join(f'"{item.column}"' for item in _fields())
    # Without its length: an explicit cast to varchar(n) would cut silently.
    casts = ", ".join(
        f"%s::{(item.db_type(connection) or '').split('(')[0]}" for item in _fields()
    )
    return f"""
WITH v AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%s::json)
        AS v (id uuid, item_index int, body bytea, due boolean)
), r AS (
    INSERT INTO runs_run (id, item_index, body, created_at, {columns})
    SELECT v.id, v.item_index, v.body, now(), {casts} FROM v
    ON CONFLICT DO NOTHING RETURNING id, workflow_id
)
INSERT INTO runs_job (run_id, workflow_id, priority, due_at, seq, signal_count,
                      expiries, holds_slot, wants_answer, exclusive_key)
SELECT r.id, r.workflow_id, %s, CASE WHEN v.due THEN now() ELSE %s END,
       0, 0, 0, false, false, %s::text
FROM r JOIN v ON v.id = r.id ORDER BY v.item_index"""  # noqa: S608 - our own columns


def _insert_postgresql(
    same: Run, births: Births, bodies: Mapping[UUID, Any], priority: int, room: int
) -> None:
    body = cast(EncryptedField, Run._meta.get_field("body"))
    is_item = same.item_index is not None
    rows = [
        {
            "id": str(birth.id),
            "item_index": birth.index if is_item else None,
            "body": "\\x" + body.encrypted(bodies[birth.id]).hex(),
            "due": number < room,
        }
        for number, birth in enumerate(births.children)
    ]
    values = [
        item.get_db_prep_save(getattr(same, item.attname), connection)
        for item in _fields()
    ]
    with connection.cursor() as cursor:
        job: list[Any] = [priority, sql.FAR, births.loop.exclusive_key]
        cursor.execute(_statement(), [json.dumps(rows), *values, *job])


# --- SQLite ---------------------------------------------------------------------------


def _insert_sqlite(
    same: Run,
    births: Births,
    bodies: Mapping[UUID, Any],
    priority: int,
    room: int,
    now: datetime,
) -> None:
    values = {item.attname: getattr(same, item.attname) for item in _fields()}
    is_item = same.item_index is not None
    runs = [
        Run(
            id=birth.id,
            item_index=birth.index if is_item else None,
            body=bodies[birth.id],
            **values,
        )
        for birth in births.children
    ]
    Run.objects.bulk_create(runs, ignore_conflicts=True)
    ids = [run.pk for run in runs]
    stored = set(Run.objects.filter(pk__in=ids).values_list("pk", flat=True))
    Job.objects.bulk_create(
        Job(
            run_id=run.pk,
            workflow_id=run.workflow_id,
            priority=priority,
            due_at=now if number < room else sql.FAR,
            exclusive_key=births.loop.exclusive_key,
        )
        for number, run in enumerate(runs)
        if run.pk in stored
    )
