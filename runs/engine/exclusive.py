"""Runs of one exclusive key: one at a time, in the order of their arrival.

An event is stored as any other, due at once. The claim that meets a job whose key
another job holds *parks* it: due in the year 9999, so that nobody looks at it again.
The end of the holder makes the oldest of its key due (docs/adr/0013).

What decides and what releases excludes each other by an advisory lock per workflow,
which is only ever tried inside larger transactions, never waited for: so it can be in
no deadlock. Where an end finds it taken, the release follows in a transaction of its
own, and where that is lost too, `Sweep` finds what is left over.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from automate.lib.database import write_transaction
from runs.engine import sql, wake
from runs.engine.closing import Closing

logger = logging.getLogger(__name__)

PARK_AT_ONCE = 1000
SWEEP_EVERY = 30.0  # seconds
LOOK_AGAIN = 1.0  # seconds after which a key that seemed to be forgotten is looked at
SWEEP_AT_ONCE = 200  # keys


class Key(NamedTuple):
    """What no two runs of a workflow may work on at once."""

    workflow_id: UUID
    key: str


class Turn(NamedTuple):
    """Whether a job holds the key, and the oldest unfinished job that has it."""

    held: bool
    first: int


_OLDEST = """SELECT id, due_at FROM runs_job j
    WHERE j.workflow_id = k.workflow_id AND j.exclusive_key = k.key
          AND j.exclusive_key <> '' ORDER BY id LIMIT 1"""
_HELD = """EXISTS (SELECT 1 FROM runs_job h
    WHERE h.workflow_id = k.workflow_id AND h.exclusive_key = k.key AND h.holds_key)"""
_LOOK = f"""
SELECT k.workflow_id, k.key, {_HELD}, o.id
FROM unnest(%s::uuid[], %s::text[]) AS k (workflow_id, key)
CROSS JOIN LATERAL ({_OLDEST}) o"""  # noqa: S608 - constants of this module
_LOOK_SQLITE = """
SELECT EXISTS (SELECT 1 FROM runs_job
               WHERE workflow_id = %s AND exclusive_key = %s AND holds_key),
       (SELECT min(id) FROM runs_job
        WHERE workflow_id = %s AND exclusive_key = %s AND exclusive_key <> '')"""
# Only jobs that are due, from the same index as the claim; those parked before are not
# walked over.
_PARK = """
UPDATE runs_job SET due_at = %s WHERE id = ANY(ARRAY(
    SELECT id FROM runs_job WHERE id = ANY(ARRAY(
        SELECT d.id FROM (SELECT DISTINCT unnest(%s::uuid[]) AS id) AS w
        CROSS JOIN (VALUES (0), (1), (2), (3)) AS p (priority)
        CROSS JOIN LATERAL (
            SELECT id, workflow_id, exclusive_key FROM runs_job j
            WHERE j.lease_token IS NULL AND j.workflow_id = w.id
                  AND j.priority = p.priority AND j.due_at <= now()
                  AND NOT j.holds_key AND NOT j.id = ANY(%s)
            ORDER BY j.due_at LIMIT %s
        ) d
        JOIN unnest(%s::uuid[], %s::text[]) AS k (workflow_id, key)
            ON k.workflow_id = d.workflow_id AND k.key = d.exclusive_key
    )) AND lease_token IS NULL AND due_at <= now() FOR NO KEY UPDATE SKIP LOCKED
))"""
_PARK_SQLITE = """
UPDATE runs_job SET due_at = %s WHERE id IN (
    SELECT id FROM runs_job
    WHERE workflow_id = %s AND exclusive_key = %s AND exclusive_key <> ''
          AND lease_token IS NULL AND NOT holds_key AND due_at <= {now}
          AND id <> %s LIMIT %s)"""
_RELEASE = f"""
UPDATE runs_job SET due_at = now() WHERE id = ANY(ARRAY(
    SELECT o.id FROM unnest(%s::uuid[], %s::text[]) AS k (workflow_id, key)
    CROSS JOIN LATERAL ({_OLDEST} FOR NO KEY UPDATE SKIP LOCKED) o
    WHERE o.due_at = %s AND NOT {_HELD}
))"""  # noqa: S608 - constants of this module
_RELEASE_SQLITE = """
UPDATE runs_job SET due_at = {now}
WHERE id = (SELECT min(id) FROM runs_job
            WHERE workflow_id = %s AND exclusive_key = %s AND exclusive_key <> '')
      AND due_at = %s
      AND NOT EXISTS (SELECT 1 FROM runs_job
                      WHERE workflow_id = %s AND exclusive_key = %s AND holds_key)"""
# The oldest of its key, parked though nobody holds that: two probes of an index a job.
_FORGOTTEN = """
SELECT j.workflow_id, j.exclusive_key FROM runs_job j
WHERE j.exclusive_key <> '' AND j.due_at = %s AND j.lease_token IS NULL
      AND NOT EXISTS (SELECT 1 FROM runs_job o
                      WHERE o.workflow_id = j.workflow_id
                            AND o.exclusive_key = j.exclusive_key
                            AND o.exclusive_key <> '' AND o.id < j.id)
      AND NOT EXISTS (SELECT 1 FROM runs_job h
                      WHERE h.workflow_id = j.workflow_id
                            AND h.exclusive_key = j.exclusive_key AND h.holds_key)
LIMIT %s"""


def try_lock(workflow_id: UUID) -> bool:
    """Take the workflow's lock until the transaction ends; False when it is taken.

    Under it slots are counted and keys are given. SQLite has one writer.
    """
    if sql.is_sqlite():
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
            [_lock_name(workflow_id)],
        )
        return bool(cursor.fetchone()[0])


def _lock_name(workflow_id: UUID) -> str:
    return f"automate:{workflow_id}"


def look(keys: Collection[Key]) -> dict[Key, Turn]:
    """Whose turn it is; under the locks of these workflows, by a fresh snapshot."""
    with connection.cursor() as cursor:
        if not sql.is_sqlite():
            cursor.execute(_LOOK, _columns(keys))
            return {
                Key(workflow, key): Turn(held, first)
                for workflow, key, held, first in cursor.fetchall()
            }
        found = {}
        for key in keys:
            cursor.execute(_LOOK_SQLITE, [key.workflow_id.hex, key.key] * 2)
            held, first = cursor.fetchone()
            found[key] = Turn(bool(held), first)
        return found


def park(turns: Mapping[Key, Turn]) -> int:
    """Put aside what is due of these keys, but whose turn it is; returns how many.

    Each end of a run of the key makes the oldest due: so whatever is not the oldest,
    or waits for a holder, will be found again.
    """
    if not turns:
        return 0
    far = sql.moment(sql.FAR)
    if not sql.is_sqlite():
        workflows, names = _columns(turns)
        next_ones = [turn.first for turn in turns.values() if not turn.held]
        values = [far, workflows, next_ones, PARK_AT_ONCE, workflows, names]
        return sql.run(_PARK, values)
    statement = _PARK_SQLITE.replace("{now}", sql.now())
    parked = 0
    for key, turn in turns.items():
        next_one = 0 if turn.held else turn.first
        values = [far, key.workflow_id.hex, key.key, next_one, PARK_AT_ONCE]
        parked += sql.run(statement, values)
    return parked


def release(keys: Collection[Key]) -> int:
    """Make the oldest job of each key due, if it is parked and nobody holds the key."""
    far = sql.moment(sql.FAR)
    if not sql.is_sqlite():
        return sql.run(_RELEASE, [*_columns(keys), far])
    statement = _RELEASE_SQLITE.replace("{now}", sql.now())
    released = 0
    for key in keys:
        values = [key.workflow_id.hex, key.key]
        released += sql.run(statement, [*values, far, *values])
    return released


def ended(closings: Sequence[Closing], now: datetime) -> None:  # noqa: ARG001 - a follower's signature
    """Make the next run of each key due that these runs held."""
    keys = {
        Key(item.workflow_id, item.exclusive_key)
        for item in closings
        if item.exclusive_key
    }
    if not keys:
        return
    workflows = {key.workflow_id for key in keys}
    ours = {workflow for workflow in sorted(workflows) if try_lock(workflow)}
    at_once = [key for key in keys if key.workflow_id in ours]
    if at_once and release(at_once):
        transaction.on_commit(wake.notify)
    later = [key for key in keys if key.workflow_id not in ours]
    if later:
        # A claim decides on this workflow just now, and may be parking what we would
        # release: after our commit and its.
        transaction.on_commit(partial(_release_later, later), robust=True)


def _release_later(keys: Collection[Key]) -> int:
    """Release in a transaction of its own, which may wait; how many were."""
    with write_transaction():
        _lock(keys)
        released = release(keys)
    if released:
        wake.notify()
    return released


def _lock(keys: Iterable[Key]) -> None:
    """Wait for these workflows' locks; only for transactions that hold nothing else."""
    if sql.is_sqlite():
        return
    for workflow in sorted({key.workflow_id for key in keys}):
        sql.run(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [_lock_name(workflow)],
        )


class Sweep:
    """The safety net: releases the oldest job of a key where nobody else will.

    Needed only where a process died between an end and the release that follows it.
    That may be a matter of milliseconds, so only what two looks find is released.
    """

    def __init__(self) -> None:
        self._seen: set[Key] = set()

    def look(self) -> float:
        """One look; the seconds until the next one. A chore of every drain."""
        found = _forgotten()
        lost = found & self._seen
        released = _release_later(lost) if lost else 0
        if released:
            logger.warning(
                "released %d run(s) that waited for an exclusive key which nobody "
                "held; a worker must have died at the end of the run before",
                released,
            )
        self._seen = found - lost
        return LOOK_AGAIN if self._seen else SWEEP_EVERY


def _forgotten() -> set[Key]:
    """Keys that nobody holds, and whose next run is parked all the same."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGOTTEN, [sql.moment(sql.FAR), SWEEP_AT_ONCE])
        return {Key(_uuid(workflow), key) for workflow, key in cursor.fetchall()}


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _columns(keys: Collection[Key]) -> tuple[list[UUID], list[str]]:
    return [key.workflow_id for key in keys], [key.key for key in keys]
