"""An event becomes a run: one transaction, one statement on PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib import jsonio
from automate.lib.database import write_transaction
from automate.lib.ids import uuid7
from runs.engine import wake
from runs.models import IdempotencyKey, Run
from runs.payloads import discard
from runs.services.bodies import put_aside, with_payload
from runs.services.errors import NotRunnable
from runs.services.events import Event, Target, own_trigger, target_of
from runs.services.overrides import checked
from runs.services.search import search_keys
from workflows.models import Workflow


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
    awaited_as: UUID | None = None,
    caused_by: UUID | None = None,
) -> Accepted:
    """Commit the event as a queued run, or find the run it became before.

    One transaction decides and stores; when this returns outside a transaction, the
    run is on disk (I1), a large body before it. Wakes the drains after the commit.
    `awaited_as` is the id that a new run gets because somebody waits for its answer by
    that id already; `caused_by` the ended run that this one follows. Raises
    PayloadStoreAway.
    """
    kept = event.kept
    if kept is None and len(event.body) > settings.INLINE_LIMIT:
        # What came before is not put again.
        first = None if dedupe is None else _first_run(dedupe, live=True)
        if first is not None:
            return first
        kept = put_aside(event.body)
    run = Run(
        id=awaited_as or uuid7(),
        workflow_id=target.workflow_id,
        version_id=target.version_id,
        trigger_id=target.trigger_id,
        start=list(target.start),
        body=event.body if kept is None else kept.value,
        content_type=event.content_type[:200],
        headers=dict(event.headers),
        query=dict(event.query),
        event_id=event.event_id[:200],
        source_ip=event.source_ip,
        traceparent=event.traceparent[:55],
        variables=dict(variables or {}),
        search_keys=dict(search_keys or {}),
        caused_by_id=caused_by,
    )
    store = _store_sqlite if connection.vendor == "sqlite" else _store_postgresql
    if kept is not None:
        store = with_payload(kept, store)
    while True:
        if store(run, target, dedupe, awaited_as is not None):
            transaction.on_commit(wake.notify)
            return Accepted(run.pk)
        assert dedupe is not None  # noqa: S101 - only a key can refuse a run
        first = _first_run(dedupe)
        if first is not None:
            if kept is not None and not connection.in_atomic_block:
                discard(kept)
            return first


def key_hash(key: str) -> str:
    """SHA-256 of an idempotency key: senders' keys may be long or personal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _first_run(dedupe: Dedupe, *, live: bool = False) -> Accepted | None:
    """The run that holds this key, by a fresh snapshot; None when purged since.

    `live`: None too when the key has expired.
    """
    keys = IdempotencyKey.objects.filter(
        scope=dedupe.scope, key_hash=key_hash(dedupe.key)
    )
    if live:
        keys = keys.filter(expires_at__gt=Now())
    row = keys.values_list("run_id", "body_hash").first()
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
                      expiries, holds_slot, exclusive_key, wants_answer)
SELECT id, workflow_id, %s::smallint, now(), 0, 0, 0, false, %s::text, %s::boolean
FROM r RETURNING id"""


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


def _store_postgresql(
    run: Run,
    target: Target,
    dedupe: Dedupe | None,
    wants_answer: bool,  # noqa: FBT001 - one of two alike, called in one place
) -> bool:
    job = [target.priority, target.exclusive_key, wants_answer]
    values = [*_run_values(run), target.run_timeout, *job]
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
                      expiries, holds_slot, exclusive_key, wants_answer)
VALUES (%s, %s, %s, %s, 0, 0, 0, 0, %s, %s)"""


@cache
def _insert_run_sqlite() -> str:
    columns = ", ".join(f'"{item.column}"' for item in _run_fields())
    marks = ", ".join(["%s"] * (len(_run_fields()) + 2))
    return f"INSERT INTO runs_run ({columns}, created_at, deadline) VALUES ({marks})"  # noqa: S608 - column names of our own model


def _store_sqlite(
    run: Run,
    target: Target,
    dedupe: Dedupe | None,
    wants_answer: bool,  # noqa: FBT001 - as above
) -> bool:
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
        end = adapt(now + timedelta(seconds=target.run_timeout))
        cursor.execute(_insert_run_sqlite(), [*values, at, end])
        place: list[Any] = [run.pk.hex, run.workflow_id.hex, target.priority, at]
        cursor.execute(_JOB_SQLITE, [*place, target.exclusive_key, wants_answer])
    return True


def execute_manually(
    workflow: Workflow,
    payload: Any,
    by: User | ApiKey | None,
    variables: Mapping[str, Any] | None = None,
    priority: int | None = None,
    *,
    dedupe: Dedupe | None = None,
    awaited_as: UUID | None = None,
) -> Accepted:
    """Start the published version with a payload of one's own.

    `dedupe` and `awaited_as` are `accept`'s. The run belongs to the workflow's `manual`
    trigger, or its `api` trigger when an API key starts it, if there is one, and begins
    where that begins. `priority`: instead of
    the workflow's own (Job.PRIORITIES). Raises NotRunnable when nothing is published,
    the workflow is not active, or its `exclusive` fails, and BadVariables for
    `variables` that the version does not declare.
    """
    if workflow.published_id is None:
        raise NotRunnable(f"{workflow} has no published version; publish it first.")
    if workflow.status != Workflow.Status.ACTIVE:
        raise NotRunnable(f"{workflow} is {workflow.status}; activate it first.")
    assert workflow.published is not None  # noqa: S101 - its id was there
    variables = checked(workflow.published, variables or {})
    body = jsonio.dumps(payload).encode()
    event = Event(body, "application/json", kept=put_aside(body))
    target = target_of(
        workflow,
        event,
        trigger=own_trigger(workflow, "api" if isinstance(by, ApiKey) else "manual"),
        variables=variables,
        priority=priority,
    )
    keys = search_keys(workflow, event, variables)
    with write_transaction():
        accepted = accept(
            target,
            event,
            dedupe,
            variables=variables,
            search_keys=keys,
            awaited_as=awaited_as,
        )
        if not (accepted.duplicate or accepted.conflict):
            audit("run.start", workflow, by=by, changes={"run": str(accepted.run_id)})
    return accepted
