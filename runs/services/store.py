"""Writes a new run, its idempotency key and its job: one statement on PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import Any, TypeAlias
from uuid import UUID

from django.db import connection, models
from django.utils import timezone

from automate.lib.database import write_transaction
from runs.models import Run
from runs.services.events import Target

Column: TypeAlias = "models.Field[Any, Any]"


@dataclass(frozen=True, slots=True)
class Dedupe:
    """The event's identity within a scope, kept for `ttl`; `body_hash` is hex."""

    scope: str
    key: str
    body_hash: str
    ttl: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be: `values` by the names in GIVEN; `awaited`: somebody waits for it."""

    pk: UUID
    values: Mapping[str, Any]
    target: Target
    dedupe: Dedupe | None = None
    awaited: bool = False


# The columns that an event fills. The other ones have their defaults, as literals:
# a model instance for each event and thirty parameters took a sixth of its time.
GIVEN = (
    "workflow_id",
    "version_id",
    "trigger_id",
    "start",
    "body",
    "content_type",
    "headers",
    "query",
    "event_id",
    "source_ip",
    "traceparent",
    "variables",
    "search_keys",
    "caused_by_id",
    "decisions",
)
_COMPUTED = ("created_at", "deadline")
# What PostgreSQL's driver takes as it is.
_PLAIN = (models.CharField, models.UUIDField, models.ForeignKey)


def store(run: NewRun) -> bool:
    """Write it; False: another run holds its idempotency key."""
    write = _on_sqlite if connection.vendor == "sqlite" else _on_postgresql
    return write(run)


def key_hash(key: str) -> str:
    """SHA-256 of an idempotency key: senders' keys may be long or personal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _given() -> tuple[Column, ...]:
    by_name = {item.attname: item for item in Run._meta.concrete_fields}
    return tuple(by_name[name] for name in ("id", *GIVEN))


@cache
def _defaults() -> dict[str, str]:
    """The literal of each column that no event fills."""
    run = Run()
    return {
        item.column: _literal(getattr(run, item.attname))
        for item in Run._meta.concrete_fields
        if item not in _given() and item.attname not in _COMPUTED
    }


def _literal(value: Any) -> str:
    """SQL for a default: never for anything that somebody sent."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))
    text = value if isinstance(value, str) else json.dumps(value)
    return "'{}'".format(text.replace("'", "''").replace("%", "%%"))


@cache
def _preparations(vendor: str) -> tuple[Callable[[Any], Any], ...]:
    """What makes a parameter of a value, a column each."""
    native = vendor == "postgresql"
    return tuple(
        _same if native and isinstance(item, _PLAIN) else partial(_by_column, item)
        for item in _given()
    )


def _same(value: Any) -> Any:
    return value


def _by_column(item: Column, value: Any) -> Any:
    return item.get_db_prep_save(value, connection)


def _parameters(run: NewRun) -> list[Any]:
    values = (run.pk, *(run.values[name] for name in GIVEN))
    prepared = _preparations(connection.vendor)
    return [prepare(value) for prepare, value in zip(prepared, values, strict=True)]


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
def _statement(*, keyed: bool) -> str:
    names = [item.column for item in _given()] + list(_defaults())
    # Without its length: an explicit cast to varchar(n) would cut silently.
    values = [
        f"%s::{(item.db_type(connection) or '').split('(')[0]}" for item in _given()
    ] + list(_defaults().values())
    insert = f"""
r AS (
    INSERT INTO runs_run ({", ".join(names)}, created_at, deadline)
    SELECT {", ".join(values)}, now(), now() + make_interval(secs => %s)
    {"FROM k" if keyed else ""}
    RETURNING id, workflow_id
)"""
    return f"WITH {_TAKE_KEY if keyed else ''}{insert}{_JOB}"


def _on_postgresql(run: NewRun) -> bool:
    target, dedupe = run.target, run.dedupe
    job = [target.priority, target.exclusive_key, run.awaited]
    values = [*_parameters(run), target.run_timeout, *job]
    if dedupe is not None:
        key = [dedupe.scope, key_hash(dedupe.key), dedupe.body_hash, run.pk]
        values = [*key, dedupe.ttl.total_seconds(), *values]
    with connection.cursor() as cursor:
        cursor.execute(_statement(keyed=dedupe is not None), values)
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
def _insert_sqlite() -> str:
    names = [item.column for item in _given()] + list(_defaults())
    values = ["%s" for _ in _given()] + list(_defaults().values())
    columns, marks = ", ".join(names), ", ".join(values)
    return (
        f"INSERT INTO runs_run ({columns}, created_at, deadline) "  # noqa: S608 - names and defaults of our own model
        f"VALUES ({marks}, %s, %s)"
    )


def _on_sqlite(run: NewRun) -> bool:
    adapt = connection.ops.adapt_datetimefield_value
    target, dedupe = run.target, run.dedupe
    values = _parameters(run)
    with write_transaction(), connection.cursor() as cursor:
        now = timezone.now()
        at = adapt(now)
        if dedupe is not None:
            key = [dedupe.scope, key_hash(dedupe.key), dedupe.body_hash, run.pk.hex]
            cursor.execute(_TAKE_KEY_SQLITE, [*key, at, adapt(now + dedupe.ttl)])
            if cursor.fetchone() is None:
                return False
        end = adapt(now + timedelta(seconds=target.run_timeout))
        cursor.execute(_insert_sqlite(), [*values, at, end])
        place: list[Any] = [run.pk.hex, target.workflow_id.hex, target.priority, at]
        cursor.execute(_JOB_SQLITE, [*place, target.exclusive_key, run.awaited])
    return True
