"""What one transaction will change about one run: decided in memory, then written."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings

from runs.engine import children, permits, unknown, waits
from runs.engine import output as run_output
from runs.engine.ending import Ending, out_of_time
from runs.engine.held import InFlight, seconds_until, state_of
from runs.engine.plan import End, Plan, StepState, plan
from runs.engine.rows import Rows
from runs.engine.task import Result, Task
from runs.states import RunStatus, StepStatus
from workflows.actions.outcomes import ErrorInfo, WaitForSignal

KEEP_LEASE_FOR = 1.0  # seconds: a run due again sooner stays in memory


@dataclass(slots=True)
class Draft(Rows):
    """Changes to one run: its steps, attempts, log, end or next due time.

    `settled` are the steps whose results it takes over, `rendered` the result that is
    the run's output, `tasks` what begins, `tokens` what steps wait for from now on.
    `released`: the lease is given back, until `due_at`; `fresh_lease`: this transaction
    claims the run. `starved`: more could begin, if a thread were free.
    """

    tasks: list[Task] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    ending: Ending | None = None
    due_at: datetime | None = None
    starved: bool = False
    released: bool = False
    fresh_lease: bool = False
    tokens: list[tuple[str, WaitForSignal]] = field(default_factory=list)
    rendered: Result | None = None
    wanting: list[str] = field(default_factory=list)  # begun, if there is a permit
    put_off_until: datetime | None = None
    waited_for: dict[str, str] = field(default_factory=dict)  # before they began
    planned: Plan = field(default_factory=Plan)

    # --- what follows ---------------------------------------------------------------

    def advance(self, free: int) -> int:
        """Plan from here and begin at most `free` steps; returns how many began."""
        if self._expired():
            return 0
        unknown.of_interrupted(self)
        waits.expire(self)
        children.advance(self)
        states = {**self.held.states, **self._states()}
        step = plan(self.version.graph, states, self.now, self.held.run.start)
        for node_id in step.complete:
            row = self.change(node_id)
            self.finish(row, StepStatus.SUCCEEDED, row.output)
        for node_id in step.skip:
            self.finish(self.change(node_id), StepStatus.SKIPPED, None)
            self.outputs.pop(node_id, None)
        for node_id in step.cancel:
            self.finish(self.change(node_id), StepStatus.CANCELLED, None)
        if step.end is not None:
            self._end(step.end, free)
            return len(self.tasks)
        free = max(free, 0)
        for node_id in step.start[:free]:
            self._begin(node_id)
        self.planned = step
        self.starved = free < len(step.start)
        self._sleep()
        return len(self.tasks)

    def _states(self) -> dict[str, StepState]:
        """The planner's view of what changes."""
        return {key: state_of(row) for key, row in self.changed.items()}

    def put_off(self, node_id: str, until: datetime, what: str = "permit") -> None:
        """This step was to begin, but it may not before `until`: it waits."""
        row = self.change(node_id)
        if any(task.node.id == node_id and task.verify for task in self.tasks):
            row.verifies -= 1
        else:
            row.attempt -= 1
        row.started_at = row.started_at if row.attempt else None
        self.wait(row, what, until)
        self.tasks = [task for task in self.tasks if task.node.id != node_id]
        self.put_off_until = min(self.put_off_until or until, until)
        self._sleep()

    def hold_back(self, task: Task, until: datetime, why: str) -> None:
        """The breaker of its connection is open; the run's log says so once."""
        node_id = task.node.id
        if node_id in self.wanting:
            self.wanting.remove(node_id)
        if self.waited_for.get(node_id) != "breaker":
            self.log(why, node_id=node_id, level="warning")
        self.put_off(node_id, until, "breaker")

    def _expired(self) -> bool:
        deadline = self.held.run.deadline
        if deadline is None or deadline > self.now:
            return False
        self.stop(out_of_time(deadline))
        return True

    def stop(self, ending: Ending) -> None:
        """End the run now, whatever its steps are doing."""
        for node_id, row in list(self.rows.items()):
            if row.status in (StepStatus.RUNNING, StepStatus.WAITING):
                self.finish(self.change(node_id), StepStatus.CANCELLED, None)
        self.ending = ending

    def _end(self, end: End, free: int) -> None:
        if end.status is not RunStatus.SUCCEEDED:
            row = self.rows[end.failed]
            message = f"Step {end.failed}: {row.error_message}"
            error = ErrorInfo(row.error_class, message)
            self.ending = Ending(end.status, error, stopped_by=self._stopped_by())
            return
        ending = Ending(RunStatus.SUCCEEDED, stopped_by=self._stopped_by())
        if self.version.output is None:
            self.ending = ending
        else:
            run_output.give(self, ending, free)

    def _stopped_by(self) -> list[str]:
        """Steps that took a side port which leads nowhere, in the graph's order."""
        graph = self.version.graph
        return [
            node_id
            for node_id in graph.order
            if (row := self.rows.get(node_id)) is not None
            and row.port
            and graph.is_side(node_id, row.port)
            and not graph.leaves(node_id, row.port)
        ]

    def _begin(self, node_id: str) -> None:
        row = self.change(node_id)
        self.waited_for[node_id] = row.waiting_for
        node = self.version.nodes[node_id]
        if unknown.must_verify(node, row):
            row.verifies += 1
        else:
            row.attempt += 1
            row.interrupted, row.verifies = False, 0
        row.status, row.waiting_for, row.due_at = StepStatus.RUNNING, "", None
        row.started_at = row.started_at or self.now
        self.tasks.append(
            Task(self.held, node, row.attempt, row.idempotency_key, row.verifies)
        )
        has_permit = self.waited_for[node_id] == "permit"
        if not has_permit and permits.limited(self.held, node) is not None:
            self.wanting.append(node_id)

    def _sleep(self) -> None:
        """Keep the lease while something is in flight or due within a second."""
        dues = (self.planned.due_at, self.put_off_until, children.due(self))
        moments = (*dues, self.held.run.deadline)
        self.due_at = min(filter(None, moments), default=None)
        busy = (self.held.in_flight.keys() - self.settled) or self.tasks
        soon = self.due_at is not None and (
            seconds_until(self.due_at, self.now) < KEEP_LEASE_FOR
        )
        self.released = not busy and not soon and not self.starved

    @property
    def gives_up_slot(self) -> bool:
        """Released, while it waits for a person, a webhook or children.

        Also when another branch waits by the clock: its items may need that very slot.
        """
        return self.held.limited and any(
            row.status == StepStatus.WAITING
            and row.waiting_for in ("signal", "children")
            for row in self.rows.values()
        )

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
        held.rows, held.loops = self.rows, self.loops
        held.states = {**held.states, **self._states()}
        if children.unread(self):
            held.signal_count = -1  # no count that a job has: load the steps again
        held.outputs.update(self.outputs)
        if self.settled:
            held.solo = False
        for node_id in self.settled:
            held.in_flight.pop(node_id, None)
        moment = time.monotonic()
        for task in self.tasks:
            held.in_flight[task.node.id] = InFlight(
                task.attempt, moment, task.node.timeout, task.verify
            )
        held.starved = self.starved
        held.due = None
        if self.due_at is not None:
            held.due = moment + seconds_until(self.due_at, self.now)
