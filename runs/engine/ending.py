"""The end of runs: the guarded update, the job's removal, and what follows from it.

Every transaction that ends runs closes their jobs here, whichever way they end: so
nothing that waits for an end (a parent, the next run of an exclusive key, a trigger, a
waiting request) depends on the path.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from automate.lib.encryption import EncryptedField
from automate.lib.jsonio import storable
from runs.engine import answers, countdown, exclusive, finished, sql
from runs.engine.closing import Closing
from runs.models import Job, Run, RunLog, StepRun
from runs.states import FINAL_RUN, FINAL_STEP, RunStatus, StepStatus
from workflows.actions.outcomes import ErrorInfo

_VARYING = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|0x[0-9a-f]+|\d+")

_SUCCEED = """
UPDATE runs_run t
SET status = 'succeeded', finished_at = %s, output = v.output, stopped_by = v.stopped_by
FROM json_to_recordset(%s::json) AS v (id uuid, output bytea, stopped_by jsonb)
WHERE t.id = v.id AND t.status IN ('queued', 'running')"""

_HOW = {
    RunStatus.FAILED: "Failed",
    RunStatus.DEAD_LETTER: "Failed, and its retries are used up",
}

# What follows from the end of runs, in the transaction that ends them. Each costs
# nothing where none of the runs concerns it.
FOLLOWERS: tuple[Callable[[Sequence[Closing], datetime], None], ...] = (
    countdown.ended,
    exclusive.ended,
    finished.ended,
    answers.ended,
)


@dataclass(slots=True)
class Ending:
    """How a run ends, with its output or its error.

    `stopped_by` lists the steps behind which nothing was taken: filters that did not
    pass, refusals without a connection.
    """

    status: RunStatus
    error: ErrorInfo | None = None
    output: Any = None
    stopped_by: Sequence[str] = ()

    @property
    def fingerprint(self) -> str:
        """Equal for failures that differ in numbers and ids only."""
        if self.error is None:
            return ""
        text = f"{self.error.error_class}:{_VARYING.sub('#', self.error.message)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def is_plain_success(self) -> bool:
        """True when there is nothing to write but the status."""
        return (
            self.status is RunStatus.SUCCEEDED
            and self.output is None
            and not self.stopped_by
        )


def out_of_time(deadline: datetime) -> Ending:
    """How a run ends that has passed its deadline."""
    message = (
        f"The run did not end by {deadline:%Y-%m-%d %H:%M:%S} UTC, its workflow's "
        "run time-out."
    )
    return Ending(RunStatus.FAILED, ErrorInfo("run_timeout", message))


def end_run(run_id: UUID, ending: Ending, now: datetime) -> bool:
    """unfinished -> final. False when the run had ended already: final states stay.

    The run's log says how it failed.
    """
    error = ending.error
    message = storable(error.message) if error else ""
    open_run = Run.objects.filter(pk=run_id).exclude(status__in=FINAL_RUN)
    ended = open_run.update(
        status=ending.status,
        finished_at=now,
        output=ending.output,
        stopped_by=list(ending.stopped_by),
        error_class=error.error_class[:100] if error else "",
        error_message=message,
        error_fingerprint=ending.fingerprint,
    )
    if ended and error is not None:
        how = _HOW.get(ending.status, "Ended")
        RunLog.objects.create(
            run_id=run_id, level=RunLog.Level.ERROR, message=f"{how}: {message}"
        )
    return ended == 1


def end_succeeded(endings: Sequence[tuple[UUID, Ending]], now: datetime) -> None:
    """As `end_run` for many that succeeded with an output: one statement."""
    if not endings:
        return
    if sql.is_sqlite():
        for run_id, ending in endings:
            end_run(run_id, ending, now)
        return
    column = cast(EncryptedField, Run._meta.get_field("output"))
    rows = [
        {
            "id": str(run_id),
            "output": None
            if ending.output is None
            else "\\x" + column.encrypted(ending.output).hex(),
            "stopped_by": list(ending.stopped_by),
        }
        for run_id, ending in endings
    ]
    sql.run(_SUCCEED, [now, json.dumps(rows)])


def cancel_all(jobs: Sequence[Job], message: str, now: datetime) -> int:
    """End these runs, whose jobs are locked, as cancelled; how many."""
    if not jobs:
        return 0
    ids = [job.run_id for job in jobs]
    ended = (
        Run.objects.filter(pk__in=ids)
        .exclude(status__in=FINAL_RUN)
        .update(
            status=RunStatus.CANCELLED,
            finished_at=now,
            error_class="cancelled",
            error_message=storable(message),
        )
    )
    StepRun.objects.filter(run__in=ids).exclude(status__in=FINAL_STEP).update(
        status=StepStatus.CANCELLED, finished_at=now, due_at=None
    )
    close_jobs(closings_of(jobs, RunStatus.CANCELLED), now)
    return ended


def close_jobs(closings: Sequence[Closing], now: datetime) -> None:
    """These runs have ended in this transaction: their jobs go, what waits follows.

    The caller has locked the jobs, and those of the runs' parents, in one order.
    """
    if not closings:
        return
    chosen, values = sql.among([item.job_id for item in closings])
    sql.run(f"DELETE FROM runs_job WHERE id {chosen}", values)  # noqa: S608 - no values in it
    for follow in FOLLOWERS:
        follow(closings, now)


def closings_of(jobs: Sequence[Job], status: RunStatus) -> list[Closing]:
    """What `close_jobs` needs of runs that are not in a drain's memory; one query."""
    rows = Run.objects.defer("body", "headers", "query", "variables", "output")
    runs = rows.in_bulk([job.run_id for job in jobs])
    return [Closing.of(job, runs[job.run_id], status) for job in jobs]
