"""A run in the hands of a drain: what is in memory while its lease lasts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from automate.lib.redaction import Redactor
from runs.engine.plan import StepState
from runs.engine.versions import Compiled
from runs.models import Run, StepRun
from runs.states import StepStatus
from workflows.actions.base import ConnectionData


@dataclass(frozen=True, slots=True)
class UsedSecret:
    """A secret as a step may use it; never printed."""

    id: UUID
    value: str = field(repr=False)
    allowed_hosts: frozenset[str] = frozenset()


@dataclass(slots=True)
class Supplies:
    """What the steps of one run may use besides its data, by name.

    `hidden` are the values of all of it, also of what is inactive by now: whatever
    one step was given, a receiver may have echoed into another step's input.
    """

    secrets: dict[str, UsedSecret] = field(default_factory=dict)
    connections: dict[str, ConnectionData] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set, repr=False)
    _redactor: Redactor | None = field(default=None, init=False, repr=False)

    @property
    def redactor(self) -> Redactor:
        """The redactor for all that is said of this run, built once."""
        if self._redactor is None:
            self._redactor = Redactor(self.hidden)
        return self._redactor


@dataclass(slots=True)
class InFlight:
    """A step that a thread works on, by the monotonic clock."""

    attempt: int
    started: float
    timeout: float


@dataclass(slots=True, eq=False)
class Held:
    """One leased run. `lease_ends` is monotonic seconds, kept by the heartbeat.

    `rows` are the step rows as last written, `outputs` those that something refers
    to. `due` is the monotonic time of the next thing to do without a result.
    """

    job_id: int
    run_id: UUID
    workflow_id: UUID
    team_id: UUID | None
    token: UUID
    lease_ends: float
    run: Run
    seq: int = 0
    signal_count: int = 0
    solo: bool = False
    version: Compiled | None = None
    limited: bool = False
    slug: str = ""
    scope: dict[str, Any] = field(default_factory=dict)
    states: dict[str, StepState] = field(default_factory=dict)
    rows: dict[str, StepRun] = field(default_factory=dict)
    supplies: Supplies = field(default_factory=Supplies)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    starved: bool = False
    due: float | None = None
    written_off: bool = False  # by the heartbeat: a step hangs
    let_go: bool = False  # by the drain, which has counted its threads as lost
    broken: Exception | None = None

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs of finished steps, by step id, as templates see them."""
        outputs: dict[str, Any] = self.scope.setdefault("steps", {})
        return outputs

    def key_of(self, node_id: str, generation: int) -> str:
        """The idempotency key of a step's effect.

        A hash of root run, step and generation: the same for every attempt, and for a
        redrive that must not repeat an effect whose outcome is unknown.
        """
        root = self.run.root_run_id or self.run_id
        text = f"{root}:{node_id}::{generation}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def state_of(row: StepRun) -> StepState:
    """The planner's view of a step's row."""
    return StepState(
        status=StepStatus(row.status),
        attempt=row.attempt,
        due_at=row.due_at,
        waiting_for=row.waiting_for,
        port=row.port,
        exhausted=row.exhausted,
        interrupted=row.interrupted,
    )


def seconds_until(moment: datetime, now: datetime) -> float:
    """Seconds from `now` to `moment`, never negative."""
    return max((moment - now).total_seconds(), 0.0)
