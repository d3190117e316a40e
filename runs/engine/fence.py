"""The fence: whose lease still holds, asked under the lock of the jobs themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from runs.engine import sql
from runs.engine.held import Held


@dataclass(frozen=True, slots=True)
class Locked:
    """What the fence found of one job; `held` says whether the lease is still ours."""

    held: bool
    signal_count: int = 0


def lock(runs: Iterable[Held]) -> tuple[dict[int, Locked], datetime | None]:
    """Lock these runs' jobs, and those of runs that wait for them, by their ids.

    Call inside a transaction, before it changes anything: what a drain writes of runs
    that it holds begins here. One statement, one order: two of them that meet wait for
    each other instead of deadlocking. Those who hold no lease have `locks.lock_runs`.

    Also returns the database's time; None on SQLite, and where no job is left.
    """
    runs = list(runs)
    parents = {item.parent_job for item in runs if item.parent_job is not None}
    chosen, values = sql.among(list(parents.union(item.job_id for item in runs)))
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
