"""What one transaction will change about one run: decided in memory, then written.

A draft works on copies. The run in memory changes only when the transaction has
committed, so that a repeated transaction starts from the same place.
"""

from __future__ import annotations

import copy
import hashlib
import random
import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, assert_never

from django.conf import settings

from automate.lib.jsonio import storable
from runs.engine.attempts import attempt_row, unknown_attempt
from runs.engine.held import Held, InFlight, seconds_until, state_of
from runs.engine.perform import Dropped, Interrupted, Result, Task
from runs.engine.plan import End, Plan, plan
from runs.engine.retry import delay_after
from runs.engine.versions import Compiled
from runs.models import DeliveryAttempt, RunLog, StepRun
from runs.states import AttemptOutcome, RunStatus, StepStatus
from workflows import expressions
from workflows.actions.outcomes import (
    AttemptRecord,
    Done,
    ErrorInfo,
    Fail,
    Retry,
    Wait,
)

KEEP_LEASE_FOR = 1.0  # seconds: a run due again sooner stays in memory
_VARYING = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|0x[0-9a-f]+|\d+")


@dataclass(slots=True)
class Ending:
    """How a run ends, with its output or its error."""

    status: RunStatus
    error: ErrorInfo | None = None
    output: Any = None

    @property
    def fingerprint(self) -> str:
        """Equal for failures that differ in numbers and ids only."""
        if self.error is None:
            return ""
        text = f"{self.error.error_class}:{_VARYING.sub('#', self.error.message)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(slots=True)
class Draft:
    """Changes to one run: its steps, attempts, log, end or next due time."""

    held: Held
    now: datetime
    rows: dict[str, StepRun] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, StepRun] = field(default_factory=dict)
    attempts: list[tuple[str, DeliveryAttempt]] = field(default_factory=list)
    logs: list[RunLog] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    ending: Ending | None = None
    due_at: datetime | None = None
    starved: bool = False
    released: bool = False
    fresh_lease: bool = False

    def __post_init__(self) -> None:
        self.rows = dict(self.held.rows)

    @property
    def version(self) -> Compiled:
        """The version of this run, which is loaded before anything is drafted."""
        assert self.held.version is not None  # noqa: S101 - see load.py
        return self.held.version

    # --- results ------------------------------------------------------------------

    def settle(self, result: Result) -> None:
        """Take over how an attempt went."""
        self.settled.add(result.node_id)
        row = self._change(result.node_id)
        if result.input is not None:
            row.input = result.input
        match result.outcome:
            case Done(output=output, attempt=attempt):
                self._attempt(row, attempt)
                self._finish(row, StepStatus.SUCCEEDED, output)
            case Fail(error=error, attempt=attempt, output=output):
                self._attempt(row, attempt)
                self._fail(row, error, output)
            case Retry():
                self._retry(row, result.outcome)
            case Wait(until=until, output=output):
                row.status, row.waiting_for = StepStatus.WAITING, "time"
                row.due_at, row.output = until, output
            case Dropped():
                self._again(row, interrupted=False)
            case Interrupted():
                self._again(row, interrupted=True)
            case _ as never:
                assert_never(never)

    def _change(self, node_id: str) -> StepRun:
        if node_id not in self.changed:
            row = self.rows.get(node_id)
            row = self._new_row(node_id) if row is None else copy.copy(row)
            self.rows[node_id] = self.changed[node_id] = row
        return self.changed[node_id]

    def _new_row(self, node_id: str) -> StepRun:
        generation = self.held.run.generation
        return StepRun(
            run_id=self.held.run_id,
            node_id=node_id,
            kind=self.version.nodes[node_id].kind,
            generation=generation,
            idempotency_key=self.held.key_of(node_id, generation),
        )

    def _finish(self, row: StepRun, status: StepStatus, output: Any) -> None:
        row.status, row.finished_at = status, self.now
        row.waiting_for, row.due_at, row.interrupted = "", None, False
        if status is StepStatus.SUCCEEDED:
            row.error_class = row.error_message = ""  # of the attempts before
        row.output = output
        self.outputs[row.node_id] = output

    def _fail(self, row: StepRun, error: ErrorInfo, output: Any = None) -> None:
        row.error_class = error.error_class[:100]
        row.error_message = storable(error.message)
        self._finish(row, StepStatus.FAILED, output)

    def _retry(self, row: StepRun, outcome: Retry) -> None:
        node = self.version.nodes[row.node_id]
        attempt = self._attempt(row, outcome.attempt)
        unknown = attempt is not None and attempt.outcome == AttemptOutcome.UNKNOWN
        if unknown and node.on_unknown == "fail":
            self._fail(row, outcome.error, outcome.output)
            return
        delay = delay_after(
            node.retry,
            row.attempt,
            retry_after=outcome.after,
            dice=random.random(),  # noqa: S311 - spreads load
        )
        if delay is None:
            row.exhausted = True
            self._fail(row, outcome.error, outcome.output)
            return
        row.error_class = outcome.error.error_class[:100]
        row.error_message = storable(outcome.error.message)
        row.status, row.waiting_for = StepStatus.WAITING, "retry"
        row.due_at = self.now + timedelta(seconds=delay)
        if attempt is not None:
            attempt.next_due_at = row.due_at

    def _again(self, row: StepRun, *, interrupted: bool) -> None:
        """Due at once, under the same key; a dropped attempt was never begun."""
        if interrupted and self.version.nodes[row.node_id].action.sends:
            node = self.version.nodes[row.node_id]
            self.attempts.append(
                (row.node_id, unknown_attempt(self.held.run_id, row, node, self.now))
            )
        if not interrupted:
            row.attempt -= 1
        row.status, row.waiting_for = StepStatus.WAITING, "retry"
        row.due_at, row.interrupted = self.now, interrupted

    def _attempt(
        self, row: StepRun, record: AttemptRecord | None
    ) -> DeliveryAttempt | None:
        if record is None:
            return None
        attempt = attempt_row(self.held.run_id, row.attempt, record)
        self.attempts.append((row.node_id, attempt))
        return attempt

    # --- what follows ---------------------------------------------------------------

    def advance(self, free: int) -> int:
        """Plan from here and begin at most `free` steps; returns how many began."""
        if self._expired():
            return 0
        self._refuse_interrupted()
        states = {key: state_of(row) for key, row in self.rows.items()}
        step = plan(self.version.graph, states, self.now, self.held.run.start)
        for node_id in step.complete:
            row = self._change(node_id)
            self._finish(row, StepStatus.SUCCEEDED, row.output)
        for node_id in step.skip:
            self._finish(self._change(node_id), StepStatus.SKIPPED, None)
            self.outputs.pop(node_id, None)
        for node_id in step.cancel:
            self._finish(self._change(node_id), StepStatus.CANCELLED, None)
        if step.end is not None:
            self._end(step.end)
            return 0
        free = max(free, 0)
        for node_id in step.start[:free]:
            self._begin(node_id)
        self._sleep(step, started=min(free, len(step.start)))
        return len(self.tasks)

    def _expired(self) -> bool:
        deadline = self.held.run.deadline
        if deadline is None or deadline > self.now:
            return False
        error = ErrorInfo(
            "run_timeout",
            f"The run did not end by {deadline:%Y-%m-%d %H:%M:%S} UTC, its workflow's "
            "run time-out.",
        )
        self.stop(Ending(RunStatus.FAILED, error))
        return True

    def _refuse_interrupted(self) -> None:
        """`on_unknown: fail`: a step that may have had its effect is not repeated."""
        for node_id, row in list(self.rows.items()):
            node = self.version.nodes.get(node_id)
            if not row.interrupted or node is None or node.on_unknown != "fail":
                continue
            if node.action.sends and row.status == StepStatus.WAITING:
                message = (
                    "The worker stopped while the request was under way; what became "
                    "of it is unknown, and on_unknown is fail."
                )
                self._fail(self._change(node_id), ErrorInfo("unknown", message))

    def stop(self, ending: Ending) -> None:
        """End the run now, whatever its steps are doing."""
        for node_id, row in list(self.rows.items()):
            if row.status in (StepStatus.RUNNING, StepStatus.WAITING):
                self._finish(self._change(node_id), StepStatus.CANCELLED, None)
        self.ending = ending

    def _end(self, end: End) -> None:
        if end.status is not RunStatus.SUCCEEDED:
            row = self.rows[end.failed]
            message = f"Step {end.failed}: {row.error_message}"
            self.ending = Ending(end.status, ErrorInfo(row.error_class, message))
            return
        self.ending = Ending(RunStatus.SUCCEEDED)
        if self.version.output is None:
            return
        steps = {**self.held.outputs, **self.outputs}
        try:
            self.ending.output = expressions.render(
                self.version.output,
                {**self.held.scope, "steps": steps},
                known_names=self.version.step_ids,
            )
        except expressions.ExpressionError as error:
            message = self.held.supplies.redactor.text(f"output: {error}")
            failure = ErrorInfo("template", message)
            self.ending = Ending(RunStatus.FAILED, failure)

    def _begin(self, node_id: str) -> None:
        row = self._change(node_id)
        row.attempt += 1
        row.status, row.waiting_for, row.due_at = StepStatus.RUNNING, "", None
        row.interrupted = False
        row.started_at = row.started_at or self.now
        node = self.version.nodes[node_id]
        self.tasks.append(Task(self.held, node, row.attempt, row.idempotency_key))

    def _sleep(self, step: Plan, *, started: int) -> None:
        """Keep the lease while something is in flight or due within a second."""
        self.starved = started < len(step.start)
        dues = [item for item in (step.due_at, self.held.run.deadline) if item]
        self.due_at = min(dues, default=None)
        busy = (self.held.in_flight.keys() - self.settled) or self.tasks
        soon = self.due_at is not None and (
            seconds_until(self.due_at, self.now) < KEEP_LEASE_FOR
        )
        self.released = not busy and not soon and not self.starved

    @property
    def wakes_soon(self) -> bool:
        """Released, and due before the other drains' next poll."""
        if self.due_at is None:
            return True
        return seconds_until(self.due_at, self.now) < 2 * settings.POLL

    # --- afterwards -------------------------------------------------------------------

    def apply(self, lease_ends: float) -> None:
        """The transaction has committed: make the run in memory agree with it.

        `lease_ends` is the end of its lease in monotonic seconds.
        """
        held = self.held
        if not self.fresh_lease:
            held.seq += 1
        held.lease_ends = max(held.lease_ends, lease_ends)
        if self.ending is None:
            held.run.status = RunStatus.RUNNING
        held.rows = self.rows
        held.outputs.update(self.outputs)
        if self.settled:
            held.solo = False
        for node_id in self.settled:
            held.in_flight.pop(node_id, None)
        moment = time.monotonic()
        for task in self.tasks:
            held.in_flight[task.node.id] = InFlight(
                task.attempt, moment, task.node.timeout
            )
        held.starved = self.starved
        held.due = None
        if self.due_at is not None:
            held.due = moment + seconds_until(self.due_at, self.now)
