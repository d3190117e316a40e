"""When the queue next wants to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models.functions import Now

from runs.models import Job

NO_HURRY = 3600.0  # seconds: nothing falls due, or it is not known

# One probe of the index a priority.
_NEXT = """
SELECT extract(epoch FROM min(d.due_at) - now())::float8,
       EXISTS (SELECT FROM runs_job
               WHERE lease_token IS NULL AND expiries > 0 AND due_at <= now())
FROM (VALUES (0), (1), (2), (3)) AS p (priority)
CROSS JOIN LATERAL (
    SELECT due_at FROM runs_job
    WHERE lease_token IS NULL AND priority = p.priority AND due_at > %s
    ORDER BY due_at LIMIT 1
) d"""


@dataclass(frozen=True, slots=True)
class Look:
    """Seconds until the next job falls due, and whether suspects wait to run alone."""

    seconds: float = NO_HURRY
    suspects: bool = False


def next_due(since: datetime) -> Look:
    """What an idle drain waits for: the first job that is due later than `since`.

    That is the database's time of the claim before: what fell due after it, and before
    this look, would otherwise wait for the next poll. SQLite polls so often that only
    suspects matter.
    """
    if connection.vendor == "sqlite":
        suspects = Job.objects.filter(
            lease_token=None, expiries__gt=0, due_at__lte=Now()
        )
        return Look(suspects=suspects.exists())
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [since])
        row = cursor.fetchone()
    if row is None:
        return Look()
    return Look(NO_HURRY if row[0] is None else max(row[0], 0.0), bool(row[1]))
