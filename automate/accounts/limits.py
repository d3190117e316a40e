"""Rate limits of what comes in: exact over all processes and hosts.

One row a limited thing, by the database's clock (on SQLite, which has one host, that is
the host's). Whoever finds the window full reads and writes nothing, so that a flood
costs no more than reading; the row is locked for the length of one statement.
"""

from __future__ import annotations

import time

from django.db import connection

from automate.accounts.models import RateWindow
from automate.lib import sliding
from automate.lib.database import write_transaction
from automate.lib.rates import Rate
from automate.lib.sliding import PARTS, Standing, Window


def take(scope: str, rate: Rate, count: int = 1) -> Standing:
    """Use up `count` of what `scope` may have, or be refused and use up nothing.

    One statement on PostgreSQL, in a transaction of its own unless there is one: then
    the row is locked until that ends. More than the limit at once is never allowed.
    """
    name = f"{scope}:{rate.seconds}"
    if connection.vendor == "sqlite":
        return _take_sqlite(name, rate, count)
    return _take_postgresql(name, rate, count)


# --- PostgreSQL: one statement --------------------------------------------------

# `seen` may be older than the row that is locked, and can only hold less: who does not
# fit into that is refused without a lock. No commit waits for the disk: a crash may
# forget what was counted last.
_TAKE = f"""
WITH t AS (
    SELECT s.at, floor(s.at * {PARTS} / %(seconds)s::int)::bigint AS part
    FROM (SELECT extract(epoch FROM now())::float8 AS at
          FROM set_config('synchronous_commit', CASE WHEN %(alone)s::boolean
              THEN 'off' ELSE current_setting('synchronous_commit') END, true)) s
), seen AS (
    SELECT w.part, w.counts,
        (SELECT coalesce(sum(c), 0) FROM unnest(
            (string_to_array(w.counts, ' ')::int[])
            [1 : {PARTS + 1} - least(greatest(t.part - w.part, 0), {PARTS + 1})::int]
        ) c) AS used
    FROM accounts_ratewindow w, t WHERE w.scope = %(scope)s::text
), taken AS (
    INSERT INTO accounts_ratewindow AS w (scope, part, counts, used_at)
    SELECT %(scope)s::text, t.part,
        array_to_string(%(count)s::int || array_fill(0, ARRAY[{PARTS}]), ' '), now()
    FROM t
    WHERE %(count)s::int <= %(limit)s::int AND NOT EXISTS (
        SELECT FROM seen WHERE used + %(count)s::int > %(limit)s::int)
    ON CONFLICT (scope) DO UPDATE SET (part, counts, used_at) = (
        SELECT greatest(w.part, excluded.part),
            array_to_string((p.n[1] + %(count)s::int) || p.n[2 : {PARTS + 1}], ' '),
            now()
        FROM (SELECT array_fill(0, ARRAY[
                least(greatest(excluded.part - w.part, 0), {PARTS + 1})::int
            ]) || string_to_array(w.counts, ' ')::int[] AS n) p)
    WHERE %(count)s::int + (SELECT coalesce(sum(c), 0) FROM unnest(
        (string_to_array(w.counts, ' ')::int[])
        [1 : {PARTS + 1} - least(greatest(excluded.part - w.part, 0), {PARTS + 1})::int]
    ) c) <= %(limit)s::int
    RETURNING part, counts
)
SELECT t.at, true, taken.part, taken.counts FROM t, taken
UNION ALL
SELECT t.at, false, seen.part, seen.counts
FROM t LEFT JOIN seen ON true WHERE NOT EXISTS (SELECT FROM taken)"""  # noqa: S608 - a number of ours


def _take_postgresql(scope: str, rate: Rate, count: int) -> Standing:
    values: dict[str, str | int | bool] = {
        "scope": scope, "seconds": rate.seconds, "limit": rate.count, "count": count,
        # How another's transaction commits is not ours to say.
        "alone": not connection.in_atomic_block,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        at, allowed, part, counts = cursor.fetchone()
    window = _window(part, counts) if counts else _fresh(sliding.part_at(rate, at))
    return sliding.standing(window, rate, at, allowed=allowed, count=count)


# --- SQLite: a look, and for who may fit another in the one writer's turn -------


def _take_sqlite(scope: str, rate: Rate, count: int) -> Standing:
    at = time.time()
    found = _look(scope, rate, at)
    if not sliding.fits(found, rate, count):
        return sliding.standing(found, rate, at, allowed=False, count=count)
    with write_transaction():
        at = time.time()
        found = _look(scope, rate, at)
        allowed = sliding.fits(found, rate, count)
        if allowed:
            found = found.plus(count)
            _keep(scope, found)
    return sliding.standing(found, rate, at, allowed=allowed, count=count)


def _look(scope: str, rate: Rate, at: float) -> Window:
    part = sliding.part_at(rate, at)
    rows = RateWindow.objects.filter(pk=scope).values_list("part", "counts")
    row = rows.first()
    return _window(*row).at(part) if row else _fresh(part)


_KEEP = """
INSERT INTO accounts_ratewindow (scope, part, counts, used_at)
VALUES (%s, %s, %s, STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW'))
ON CONFLICT (scope) DO UPDATE
SET part = excluded.part, counts = excluded.counts, used_at = excluded.used_at"""


def _keep(scope: str, window: Window) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [scope, window.part, " ".join(map(str, window.counts))])


def _window(part: int, counts: str) -> Window:
    return Window(part, tuple(map(int, counts.split())))


def _fresh(part: int) -> Window:
    return Window(part, (0,) * (PARTS + 1))
