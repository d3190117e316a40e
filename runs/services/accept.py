"""An event becomes a run: one transaction, one statement on PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction
from django.utils import timezone

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib import jsonio
from automate.lib.database import write_transaction
from automate.lib.ids import uuid7
from runs.engine import wake
from runs.models import IdempotencyKey, Run
from runs.services.errors import NotRunnable
from workflows.models import Workflow


@dataclass(frozen=True, slots=True)
class Event:
    """What arrived: the exact bytes, the safe headers, the query."""

    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = ""
    source_ip: str | None = None
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What an event starts: a published version, from these steps.

    `run_timeout` in seconds; an empty `start` means every step without a connection
    into it.
    """

    workflow_id: UUID
    version_id: UUID
    run_timeout: int = 86_400
    trigger_id: UUID | None = None
    start: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Dedupe:
    """The event's identity within a scope, kept for `ttl`; `body_hash` is hex."""

    scope: str
    key: str
    body_hash: str
    ttl: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The run that an event became, or had become before.

    `conflict`: the same key came with another body.
    """

    run_id: UUID
    duplicate: bool = False
    conflict: bool = False


def accept(
    target: Target,
    event: Event,
    dedupe: Dedupe | None = None,
    *,
    variables: Mapping[str, Any] | None = None,
    search_keys: Mapping[str, Any] | None = None,
) -> Accepted:
    """Commit the event as a queued run, or find the run it became before.

    One transaction decides and stores; when this returns outside a transaction, the
    run is on disk (I1). Wakes the drains after the commit.
    """
    run = Run(
        id=uuid7(),
        workflow_id=target.workflow_id,
        version_id=target.version_id,
        trigger_id=target.trigger_id,
        start=list(target.start),
        body=event.body,
        content_type=event.content_type[:200],
        headers=dict(event.headers),
        query=dict(event.query),
        event_id=event.event_id[:200],
        source_ip=event.source_ip,
        traceparent=event.traceparent[:55],
        variables=dict(variables or {}),
        search_keys=dict(search_keys or {}),
    )
    store = _store_sqlite if connection.vendor == "sqlite" else _store_postgresql
    while True:
        if store(run, target.run_timeout, dedupe):
            transaction.on_commit(wake.notify)
            return Accepted(run.pk)
        assert dedupe is not None  # noqa: S101 - only a key can refuse a run
        first = _first_run(dedupe)
        if first is not None:
            return first


def key_hash(key: str) -> str:
    """SHA-256 of an idempotency key: senders' keys may be long or personal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _first_run(dedupe: Dedupe) -> Accepted | None:
    """The run that holds this key, by a fresh snapshot; None when purged since."""
    row = (
        IdempotencyKey.objects.filter(scope=dedupe.scope, key_hash=key_hash(dedupe.key))
        .values_list("run_id", "body_hash")
        .first()
    )
    if row is None:
        return None
    conflict = row[1] != dedupe.body_hash
    return Accepted(row[0], duplicate=not conflict, conflict=conflict)


# --- PostgreSQL: one statement ------------------------------------------------

_TAKE_KEY = """
k AS (
    INSERT INTO runs_idempotencykey AS i
        (scope, key_hash, body_hash, run_id, created_at, expires_at)
    VALUES (%s, %s, %s, %s, now(), now() + make_interval(secs => %s))
    ON CONFLICT (scope, key_hash) DO UPDATE
        SET run_id = EXCLUDED.run_id, body_hash = EXCLUDED.body_hash,
            created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at
        WHERE i.expires_at <= now()
    RETURNING run_id
),"""
_JOB = """
INSERT INTO runs_job (run_id, workflow_id, priority, due_at, seq, signal_count,
                      expiries, holds_slot, children_left, wants_answer)
SELECT id, workflow_id, 2, now(), 0, 0, 0, false, 0, false FROM r RETURNING id"""


@cache
def _run_fields() -> tuple[models.Field[Any, Any], ...]:
    computed = {"created_at", "deadline"}
    fields = Run._meta.concrete_fields
    return tuple(item for item in fields if item.name not in computed)


@cache
def _insert_run(source: str) -> str:
    columns = ", ".join(f'"{item.column}"' for item in _run_fields())
    # Without its length: an explicit cast to varchar(n) would cut silently.
    casts = ", ".join(
        f"%s::{(item.db_type(connection) or '').split('(')[0]}"
        for item in _run_fields()
    )
    return f"""
r AS (
    INSERT INTO runs_run ({columns}, created_at, deadline)
    SELECT {casts}, now(), now() + make_interval(secs => %s) {source}
    RETURNING id, workflow_id
)"""


def _run_values(run: Run) -> list[Any]:
    return [
        item.get_db_prep_save(getattr(run, item.attname), connection)
        for item in _run_fields()
    ]


def _store_postgresql(run: Run, timeout: int, dedupe: Dedupe | None) -> bool:
    values = [*_run_values(run), timeout]
    if dedupe is None:
        statement = f"WITH {_insert_run('')}{_JOB}"
    else:
        statement = f"WITH {_TAKE_KEY}{_insert_run('FROM k')}{_JOB}"
        key = [dedupe.scope, key_hash(dedupe.key), dedupe.body_hash, run.pk]
        values = [*key, dedupe.ttl.total_seconds(), *values]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone() is not None


# --- SQLite: the same in three --------------------------------------------------

_TAKE_KEY_SQLITE = """
INSERT INTO runs_idempotencykey
    (scope, key_hash, body_hash, run_id, created_at, expires_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (scope, key_hash) DO UPDATE
    SET run_id = excluded.run_id, body_hash = excluded.body_hash,
        created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE expires_at <= excluded.created_at
RETURNING run_id"""
_JOB_SQLITE = """
INSERT INTO runs_job (run_id, workflow_id, priority, due_at, seq, signal_count,
                      expiries, holds_slot, children_left, wants_answer)
VALUES (%s, %s, 2, %s, 0, 0, 0, 0, 0, 0)"""


@cache
def _insert_run_sqlite() -> str:
    columns = ", ".join(f'"{item.column}"' for item in _run_fields())
    marks = ", ".join(["%s"] * (len(_run_fields()) + 2))
    return f"INSERT INTO runs_run ({columns}, created_at, deadline) VALUES ({marks})"  # noqa: S608 - column names of our own model


def _store_sqlite(run: Run, timeout: int, dedupe: Dedupe | None) -> bool:
    adapt = connection.ops.adapt_datetimefield_value
    values = _run_values(run)
    with write_transaction(), connection.cursor() as cursor:
        now = timezone.now()
        at = adapt(now)
        if dedupe is not None:
            key = [dedupe.scope, key_hash(dedupe.key), dedupe.body_hash, run.pk.hex]
            cursor.execute(_TAKE_KEY_SQLITE, [*key, at, adapt(now + dedupe.ttl)])
            if cursor.fetchone() is None:
                return False
        end = adapt(now + timedelta(seconds=timeout))
        cursor.execute(_insert_run_sqlite(), [*values, at, end])
        cursor.execute(_JOB_SQLITE, [run.pk.hex, run.workflow_id.hex, at])
    return True


def execute_manually(
    workflow: Workflow,
    payload: Any,
    by: User | ApiKey | None,
    variables: Mapping[str, Any] | None = None,
) -> Accepted:
    """Start the published version with a payload of one's own.

    Raises NotRunnable when nothing is published or the workflow is not active.
    """
    if workflow.published_id is None:
        raise NotRunnable(f"{workflow} has no published version; publish it first.")
    if workflow.status != Workflow.Status.ACTIVE:
        raise NotRunnable(f"{workflow} is {workflow.status}; activate it first.")
    with write_transaction():
        accepted = accept(
            Target(workflow.pk, workflow.published_id, workflow.run_timeout),
            Event(body=jsonio.dumps(payload).encode(), content_type="application/json"),
            variables=variables,
        )
        audit("run.start", workflow, by=by, changes={"run": str(accepted.run_id)})
    return accepted
