"""Permits: steps of a connection with a rate limit begin when it is their turn.

The generic cell rate algorithm (ATM Forum TM 4.0, 4.4.2), one row a connection: its
`next_at` moves on by an interval with each permit, over all processes and hosts. A step
whose permit lies in the future waits for that moment, as for any other, and begins then
without asking again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

from automate.lib.rates import Rate
from runs.engine import sql
from runs.engine.held import Held
from runs.engine.versions import Node
from runs.models import RateBucket
from workflows.actions.base import ConnectionData

if TYPE_CHECKING:
    from runs.engine.draft import Draft

# The row is locked until the transaction ends; the next in line sees what is left.
_TAKE = """
INSERT INTO runs_ratebucket AS b (scope, next_at) VALUES (%s, %s)
ON CONFLICT (scope) DO UPDATE
    SET next_at = greatest(b.next_at, %s) + make_interval(secs => %s)
RETURNING next_at"""


def limited(held: Held, node: Node) -> ConnectionData | None:
    """The connection of this step, when it has a rate limit."""
    found = held.supplies.connections.get(node.connection) if node.connection else None
    return found if found is not None and found.rate is not None else None


def reserve(drafts: Iterable[Draft], now: datetime) -> None:
    """Get permits for the steps that these drafts begin; those without one yet wait.

    Nothing where no step needs one, else one statement a connection, in the order of
    their ids: rows are locked in one order, after all jobs.
    """
    wanted: dict[UUID, list[tuple[Draft, str]]] = defaultdict(list)
    rates: dict[UUID, Rate] = {}
    for draft in drafts:
        for node_id in draft.wanting:
            found = limited(draft.held, draft.version.nodes[node_id])
            if found is not None and found.id is not None and found.rate is not None:
                wanted[found.id].append((draft, node_id))
                rates[found.id] = found.rate
    for key in sorted(wanted):
        moments = take(f"connection:{key}", rates[key], len(wanted[key]), now)
        for (draft, node_id), moment in zip(wanted[key], moments, strict=True):
            if moment > now:
                draft.put_off(node_id, moment)


def take(scope: str, rate: Rate, count: int, now: datetime) -> list[datetime]:
    """So many permits, each with the moment from which it holds; in a transaction."""
    earliest = now - rate.interval * (rate.burst - 1)
    length = rate.interval * count
    if sql.is_sqlite():  # one writer: nobody comes in between
        known = RateBucket.objects.filter(pk=scope).values_list("next_at", flat=True)
        end = max(known.first() or earliest, earliest) + length
        RateBucket.objects.update_or_create(scope=scope, defaults={"next_at": end})
    else:
        values: list[Any] = [scope, earliest + length, earliest, length.total_seconds()]
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, values)
            end = cursor.fetchone()[0]
    return [end - rate.interval * (count - place) for place in range(count)]
