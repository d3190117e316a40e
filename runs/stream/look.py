"""The one statement that finds what has changed, for all that anybody watches.

Of a run it compares a stamp, which changes with every record, claim and answer of the
engine (`Job.seq`, `lease_token`, `signal_count`), and reads steps, attempts and log
lines only of runs whose stamp is another. It reads no payload and no text that would
have to be redacted: who wants those asks the API.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from runs.engine import sql

NEWEST = 100  # attempts, and log lines, that a look at one run reads
NEWEST_RUNS = 50  # of a workflow
ENDED_RUNS = 200  # of a workflow, that ended since the look before


@dataclass(frozen=True, slots=True)
class Known:
    """What has been seen of a run: its stamp, its last attempt, its last log line."""

    stamp: str = ""
    attempt: int = 0
    log: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """Something of a run or of a workflow: `part` is run, step, attempt or log.

    `number` orders the rows of a part; a run's `stamp` is in its data.
    """

    topic: UUID
    part: str
    number: int
    data: dict[str, Any]


_STAMP = (
    "r.status || '/' || coalesce(CAST(j.seq AS text), '') || '/' || "
    "coalesce(CAST(j.signal_count AS text), '') || '/' || "
    "coalesce(CAST(j.lease_token AS text), '') || '/' || {waits}"
)
_WAITS = (
    "CASE WHEN r.finished_at IS NULL AND j.lease_token IS NULL AND j.due_at > {now} "
    "THEN 'waiting' ELSE '' END"
)
_RUN = (
    "r.id, r.status, r.created_at, r.started_at, r.finished_at, r.error_class, "
    "r.error_fingerprint, r.stopped_by, {waits} AS waits, {stamp} AS stamp"
)
_RUN_DATA = (
    "'id', CAST(r.id AS text), 'status', "
    "CASE WHEN r.waits = '' THEN r.status ELSE r.waits END, "
    "'created_at', r.created_at, 'started_at', r.started_at, "
    "'completed_at', r.finished_at, 'error_class', nullif(r.error_class, ''), "
    "'error_fingerprint', nullif(r.error_fingerprint, ''), "
    "'stopped_by', {stopped_by}, 'stamp', r.stamp"
)
_STEP_DATA = (
    "'id', s.node_id, 'type', s.kind, 'status', s.status, 'attempt', s.attempt, "
    "'port', nullif(s.port, ''), 'error_class', nullif(s.error_class, ''), "
    "'due_at', s.due_at, 'waiting_for', nullif(s.waiting_for, ''), "
    "'started_at', s.started_at, 'completed_at', s.finished_at"
)
_ATTEMPT_DATA = (
    "'id', a.id, 'step', a.node_id, 'number', a.number, 'verify', nullif(a.verify, 0), "
    "'outcome', a.outcome, 'response_status', a.response_status, "
    "'error_kind', nullif(a.error_kind, ''), 'started_at', a.started_at, "
    "'duration_ms', a.duration_ms, 'next_due_at', a.next_due_at"
)
_LOG_DATA = "'id', l.id, 'at', l.at, 'level', l.level, 'step', nullif(l.node_id, '')"

_OF_RUNS = """
SELECT r.id, 'run', 0, {run_data} FROM changed r
UNION ALL
SELECT s.run_id, 'step', s.id, {step_data}
FROM changed r JOIN runs_steprun s ON s.run_id = r.id
UNION ALL
SELECT a.run_id, 'attempt', a.id, {attempt_data} FROM (
  SELECT a.*, s.node_id,
    row_number() OVER (PARTITION BY a.run_id ORDER BY a.id DESC) AS place
  FROM changed r JOIN runs_deliveryattempt a ON a.run_id = r.id AND a.id > r.attempt
  JOIN runs_steprun s ON s.id = a.step_run_id) a
WHERE a.place <= {newest}
UNION ALL
SELECT l.run_id, 'log', l.id, {log_data} FROM (
  SELECT l.id, l.run_id, l.at, l.level, l.node_id,
    row_number() OVER (PARTITION BY l.run_id ORDER BY l.id DESC) AS place
  FROM changed r JOIN runs_runlog l ON l.run_id = r.id AND l.id > r.log) l
WHERE l.place <= {newest}
"""
_CHANGED = """
known (run_id, stamp, attempt, log) AS (VALUES {values}),
changed AS (
  SELECT {run}, known.attempt, known.log
  FROM known JOIN runs_run r ON r.id = known.run_id
  LEFT JOIN runs_job j ON j.run_id = r.id
  WHERE {stamp} <> known.stamp)
"""
_OF_WORKFLOW = """
SELECT r.workflow_id, 'run', 0, {run_data} FROM (
  SELECT r.workflow_id, {run} FROM (
    SELECT id FROM (
      SELECT id FROM runs_run WHERE workflow_id = %s
      ORDER BY id DESC LIMIT {newest_runs}) n
    UNION
    SELECT id FROM (
      SELECT id FROM runs_run WHERE workflow_id = %s AND finished_at > {since}
      ORDER BY finished_at DESC LIMIT {ended_runs}) e) chosen
  JOIN runs_run r ON r.id = chosen.id
  LEFT JOIN runs_job j ON j.run_id = r.id) r
"""


def look(
    runs: Mapping[UUID, Known], workflows: Collection[UUID], since: float
) -> list[Row]:
    """What is new, in one query: of these runs, and the newest runs of workflows.

    Of a workflow also the runs that ended in the last `since` seconds.
    """
    statement, values = _statement(runs, workflows, since)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [_row(*row) for row in cursor.fetchall()]


def stamp_of(run_id: UUID) -> str | None:
    """What changes with the run's state; None when there is no such run. One query."""
    statement = (
        "SELECT {stamp} FROM runs_run r LEFT JOIN runs_job j ON j.run_id = r.id "
        "WHERE r.id = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.format(**_words(0)), [sql.key(run_id)])
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def _statement(
    runs: Mapping[UUID, Known], workflows: Iterable[UUID], since: float
) -> tuple[str, list[Any]]:
    words = _words(since)
    head, parts, values = "", [], []
    if runs:
        of_one = "(%s, %s, %s, %s)"
        typed = "(%s::uuid, %s::text, %s::bigint, %s::bigint)"
        first = of_one if sql.is_sqlite() else typed
        rows = ", ".join([first, *[of_one] * (len(runs) - 1)])
        head = "WITH " + _CHANGED.format(values=rows, **words)
        parts.append(_OF_RUNS.format(**words))
        for run_id, known in runs.items():
            values += [sql.key(run_id), known.stamp, known.attempt, known.log]
    for workflow in workflows:
        parts.append(_OF_WORKFLOW.format(**words))
        values += [sql.key(workflow)] * 2
    return head + "UNION ALL".join(parts), values


def _words(since: float) -> dict[str, str]:
    """The pieces of the statement, as this database writes them."""
    waits = _WAITS.format(now=sql.now())
    stamp = _STAMP.format(waits=waits)
    sqlite = sql.is_sqlite()
    stopped_by = "json(r.stopped_by)" if sqlite else "r.stopped_by"
    data = {
        "run_data": _RUN_DATA.format(stopped_by=stopped_by),
        "step_data": _STEP_DATA,
        "attempt_data": _ATTEMPT_DATA,
        "log_data": _LOG_DATA,
    }
    make = "json_object({})" if sqlite else "CAST(json_build_object({}) AS text)"
    return {
        **{name: make.format(pairs) for name, pairs in data.items()},
        "run": _RUN.format(waits=waits, stamp=stamp),
        "stamp": stamp,
        "since": sql.after(-since),
        "newest": str(NEWEST),
        "newest_runs": str(NEWEST_RUNS),
        "ended_runs": str(ENDED_RUNS),
    }


def _row(topic: Any, part: str, number: int, data: str) -> Row:
    found = json.loads(data)
    for name in _MOMENTS & found.keys():
        found[name] = _moment(found[name])
    if part == "run":
        found["id"] = str(UUID(found["id"]))
        found["error"] = _error(found, fingerprint=found.pop("error_fingerprint"))
    elif part == "step":
        found["error"] = _error(found)
    return Row(topic if isinstance(topic, UUID) else UUID(topic), part, number, found)


_MOMENTS = frozenset(
    {"at", "created_at", "started_at", "completed_at", "due_at", "next_due_at"}
)


def _moment(text: str | None) -> str | None:
    """ISO 8601 in UTC as the API writes it, of what the database made of a moment."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _error(found: dict[str, Any], **more: Any) -> dict[str, Any] | None:
    name = found.pop("error_class")
    return {"class": name, **more} if name else None
