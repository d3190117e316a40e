"""The step rows of one run as one transaction will leave them: copied, then changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from automate.lib.jsonio import storable
from automate.lib.payloads import get_ring
from runs.engine.attempts import attempt_row
from runs.engine.held import Held
from runs.engine.instances import clone, fresh
from runs.engine.loops import Births, Loop
from runs.engine.versions import Compiled, Node
from runs.models import DeliveryAttempt, RunLog, StepRun
from runs.payloads import STEP_OUTPUT, Kept, keep_output
from runs.states import StepStatus
from workflows.actions.outcomes import AttemptRecord, ErrorInfo


@dataclass(slots=True)
class Rows:
    """Copies of a run's step rows, with what belongs to them: attempts, log lines,
    payloads that left their rows, children to be started.

    The run in memory changes only when the transaction has committed, so that a
    repeated transaction starts from the same place.
    """

    held: Held
    now: datetime
    rows: dict[str, StepRun] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, StepRun] = field(default_factory=dict)
    attempts: list[tuple[str, DeliveryAttempt]] = field(default_factory=list)
    logs: list[RunLog] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    loops: dict[str, Loop] = field(default_factory=dict)
    births: list[Births] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = dict(self.held.rows)
        self.loops = dict(self.held.loops)

    @property
    def version(self) -> Compiled:
        """The version of this run, which is loaded before anything is drafted."""
        assert self.held.version is not None  # noqa: S101 - see load.py
        return self.held.version

    def node(self, row: StepRun) -> Node:
        """The step of this row."""
        return self.version.nodes[row.node_id]

    def change(self, node_id: str) -> StepRun:
        """The row of this step, copied or new, to be changed and written."""
        if node_id not in self.changed:
            row = self.rows.get(node_id)
            row = self._new(node_id) if row is None else clone(row)
            self.rows[node_id] = self.changed[node_id] = row
        return self.changed[node_id]

    def _new(self, node_id: str) -> StepRun:
        generation = self.held.run.generation
        return fresh(
            StepRun,
            run_id=self.held.run_id,
            node_id=node_id,
            kind=self.version.nodes[node_id].kind,
            generation=generation,
            idempotency_key=self.held.key_of(node_id, generation),
        )

    def finish(
        self, row: StepRun, status: StepStatus, output: Any, port: str = ""
    ) -> None:
        """To a final state; `port` is what it took besides success."""
        row.status, row.finished_at, row.port = status, self.now, port[:100]
        row.waiting_for, row.due_at, row.interrupted = "", None, False
        if status is StepStatus.SUCCEEDED:
            row.error_class = row.error_message = ""  # of the attempts before
        row.output = output
        self.outputs[row.node_id] = output

    def keep(self, row: StepRun) -> None:
        """What is too large for its row leaves it, where that awaits no network."""
        if get_ring().writer.external:
            return
        kept = keep_output(STEP_OUTPUT, row.output)
        if kept is not None:
            row.output = kept.value
            self.kept.append(kept)

    def fail(self, row: StepRun, error: ErrorInfo, output: Any = None) -> None:
        """To `failed`, with the reason."""
        self.note_error(row, error)
        self.finish(row, StepStatus.FAILED, output)

    @staticmethod
    def note_error(row: StepRun, error: ErrorInfo) -> None:
        """Why the last attempt did not succeed, made storable."""
        row.error_class = error.error_class[:100]
        row.error_message = storable(error.message)

    @staticmethod
    def wait(row: StepRun, what: str, until: datetime | None) -> None:
        """To `waiting` for `what` (StepRun.waiting_for), until a moment if any."""
        row.status, row.waiting_for, row.due_at = StepStatus.WAITING, what, until

    def attempt(
        self, row: StepRun, record: AttemptRecord | None, verify: int = 0
    ) -> DeliveryAttempt | None:
        """Keep what was sent and answered, if anything was."""
        if record is None:
            return None
        attempt = attempt_row(self.held.run_id, row.attempt, record, verify)
        self.attempts.append((row.node_id, attempt))
        return attempt

    def log(
        self,
        message: str,
        *,
        node_id: str = "",
        level: str = RunLog.Level.INFO,
        metadata: Any = None,
    ) -> None:
        """A line that people read; made storable, not redacted here."""
        self.logs.append(
            RunLog(
                run_id=self.held.run_id,
                node_id=node_id,
                level=level,
                message=storable(message),
                metadata=storable(metadata or {}),
            )
        )
