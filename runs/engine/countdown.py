"""The end of a child run, as its parent and its siblings see it.

In the transaction that ends the child, under the lock of the parent's job: each child's
job is deleted once, so each counts once, and two that end at the same time see each
other (docs/adr/0014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from runs.engine import sql, wake
from runs.engine.children import ITEM_FAILED
from runs.engine.closing import Closing
from runs.states import RunStatus, StepStatus

_COUNT = """
UPDATE runs_steprun
SET children_left = CASE WHEN children_left > %s THEN children_left - %s ELSE 0 END,
    port = CASE WHEN %s AND status = 'waiting' THEN %s ELSE port END
WHERE run_id = %s AND node_id = %s AND children_left > 0
RETURNING status, children_left, children_stop, port"""
# Held children have greater indexes than all that were ever let go.
_RELEASE = """
UPDATE runs_job SET due_at = {now} WHERE id IN (
    SELECT j.id FROM runs_run r JOIN runs_job j ON j.run_id = r.id
    WHERE r.parent_id = %s AND r.parent_node = %s AND r.replay_of_id IS NULL
          AND r.item_index > %s AND j.due_at = %s
    ORDER BY r.item_index LIMIT %s)"""
_WAKE = """
UPDATE runs_job SET due_at = {least}(due_at, {now}), signal_count = signal_count + 1
WHERE run_id """


@dataclass(slots=True)
class _Ends:
    """What has ended of one step's children: all, with a failure, slots given up."""

    count: int = 0
    failed: bool = False
    slots: int = 0
    last: int = -1

    def add(self, closing: Closing) -> None:
        """One more."""
        self.count += 1
        self.failed = self.failed or closing.status is not RunStatus.SUCCEEDED
        self.slots += not closing.held_back
        self.last = max(self.last, closing.item_index or 0)


def ended(closings: Sequence[Closing], now: datetime) -> None:  # noqa: ARG001 - a follower
    """Count down the parents of these runs, let held siblings go, wake parents.

    A parent is woken by the last of its children, or by one that fails where that
    ends the loop. A child redriven alone counts for nobody.
    """
    groups: dict[tuple[UUID, str], _Ends] = {}
    for item in closings:
        if item.parent_id is not None and not item.is_replay:
            key = (item.parent_id, item.parent_node)
            groups.setdefault(key, _Ends()).add(item)
    woken = []
    released = False
    for (parent, node), ends in sorted(groups.items()):
        found = _count(parent, node, ends)
        if found is None or found[0] != StepStatus.WAITING:
            continue
        _, left, stop, port = found
        if left == 0 or (stop and ends.failed):
            woken.append(parent)
        elif ends.slots and not (stop and port == ITEM_FAILED):
            released = _release(parent, node, ends) > 0 or released
    if woken:
        _wake(sorted(set(woken)))
    if woken or released:
        transaction.on_commit(wake.notify)


def _count(parent: UUID, node: str, ends: _Ends) -> tuple[str, int, bool, str] | None:
    """One UPDATE; the step as it is now, None when it waits for nobody."""
    count = ends.count
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT, [count, count, ends.failed, ITEM_FAILED, sql.key(parent), node]
        )
        row = cursor.fetchone()
    return None if row is None else (row[0], row[1], bool(row[2]), row[3])


def _release(parent: UUID, node: str, ends: _Ends) -> int:
    values = [sql.key(parent), node, ends.last, sql.moment(sql.FAR), ends.slots]
    return sql.run(_RELEASE.format(now=sql.now()), values)


def _wake(parents: Sequence[UUID]) -> None:
    chosen, values = sql.among(parents)
    least = "MIN" if sql.is_sqlite() else "LEAST"
    sql.run(_WAKE.format(least=least, now=sql.now()) + chosen, values)
