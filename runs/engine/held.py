"""A run in the hands of a drain: what is in memory while its lease lasts."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from automate.lib.given_secrets import given_secrets
from automate.lib.redaction import Redactor
from runs.engine.closing import Closing
from runs.engine.loops import Before, Callee, Loop
from runs.engine.plan import StepState
from runs.engine.versions import Compiled
from runs.models import Run, StepRun, WaitToken
from runs.states import RunStatus, StepStatus
from workflows.actions.base import ConnectionData
from workflows.models import Breaker


@dataclass(frozen=True, slots=True)
class UsedSecret:
    """A secret as a step may use it; never printed."""

    id: UUID
    value: str = field(repr=False)
    allowed_hosts: frozenset[str] = frozenset()


@dataclass(slots=True)
class Supplies:
    """What the steps of one run may use besides its data, by name.

    `hidden` are the values of all of it, also of what is inactive by now, and what was
    `given`: whatever one step was given, a receiver may have echoed into another step's
    input. `given` is what event, answers and outputs held under sensitive names, which
    child runs inherit.
    `breakers` are the rows of its connections, of those that have one.
    """

    secrets: dict[str, UsedSecret] = field(default_factory=dict)
    connections: dict[str, ConnectionData] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    breakers: dict[UUID, Breaker | None] = field(default_factory=dict)
    hidden: frozenset[str] = field(default=frozenset(), repr=False)
    given: frozenset[str] = field(default=frozenset(), repr=False)
    _redactor: Redactor | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False
    )

    @property
    def redactor(self) -> Redactor:
        """The redactor for all that is said of this run, built once; step threads
        share it, and what one of them has it learn."""
        if self._redactor is None:
            with self._lock:
                if self._redactor is None:
                    self._redactor = Redactor(self.hidden)
        return self._redactor

    def give(self, *trees: Any) -> None:
        """Hide what is in these under sensitive names in what is said from now on."""
        self.inherit(given_secrets(list(trees)))

    def inherit(self, texts: Collection[str]) -> None:
        """Hide these texts in what is said from now on, here and in child runs."""
        if self.given.issuperset(texts):
            return
        with self._lock:
            self.given = self.given.union(texts)
            self.hidden = self.hidden.union(texts)
            if self._redactor is not None:
                self._redactor.learn(*texts)


@dataclass(slots=True)
class InFlight:
    """A step that a thread works on, by the monotonic clock."""

    attempt: int
    started: float
    timeout: float
    verify: int = 0


@dataclass(slots=True, eq=False)
class Held:
    """One leased run. `lease_ends` is monotonic seconds, kept by the heartbeat.

    `seq` and `signal_count` are those of its job as this drain knows them. `limited`:
    its workflow limits how many run at once. `solo`: its lease ran out before, so it
    runs alone. `broken` is why it cannot be loaded.

    `rows` are the step rows as last written, `states` the planner's view of them,
    `outputs` those that something refers to, `scope` all that templates see, `loops`
    what is known of steps that started children. `parent_job` is the job of the run
    that waits for this one, `place` where this one stands in its family. `callees` are
    the workflows that results of this turn want to run, `before` the children that
    their steps had in runs that this one redrives.

    `in_flight` are its steps in the hands of threads. `starved`: more could begin, if a
    thread were free. `due` is the monotonic time of the next thing to do without a
    result.
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
    priority: int = 2
    exclusive_key: str = ""
    wants_answer: bool = False
    parent_job: int | None = None
    place: str = ""
    solo: bool = False
    version: Compiled | None = None
    limited: bool = False
    slug: str = ""
    scope: dict[str, Any] = field(default_factory=dict)
    states: dict[str, StepState] = field(default_factory=dict)
    rows: dict[str, StepRun] = field(default_factory=dict)
    loops: dict[str, Loop] = field(default_factory=dict)
    callees: dict[str, Callee | str] = field(default_factory=dict)
    before: dict[str, Before] = field(default_factory=dict)
    supplies: Supplies = field(default_factory=Supplies)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    early: dict[str, WaitToken] = field(default_factory=dict)  # see waits.py
    starved: bool = False
    due: float | None = None
    noticed: bool = False  # by the heartbeat: somebody else changed the run
    written_off: bool = False  # by the heartbeat: a step hangs
    let_go: bool = False  # by the drain, which has counted its threads as lost
    broken: Exception | None = None

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs of finished steps, by step id, as templates see them."""
        outputs: dict[str, Any] = self.scope.setdefault("steps", {})
        return outputs

    def closing(self, status: RunStatus) -> Closing:
        """What those that wait for this run's end must know."""
        run = self.run
        return Closing(
            job_id=self.job_id,
            run_id=self.run_id,
            workflow_id=self.workflow_id,
            status=status,
            parent_id=run.parent_id,
            parent_node=run.parent_node,
            item_index=run.item_index,
            is_replay=run.replay_of_id is not None,
            exclusive_key=self.exclusive_key,
            wants_answer=self.wants_answer,
        )

    def key_of(self, node_id: str, generation: int) -> str:
        """The idempotency key of a step's effect.

        A hash of root run, step, place in the family (which loop's which item) and
        generation: the same for every attempt, and for a redrive that must not repeat
        an effect whose outcome is unknown.
        """
        root = self.run.root_run_id or self.run_id
        text = f"{root}:{node_id}:{self.place}:{generation}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def state_of(row: StepRun) -> StepState:
    """The planner's view of a step's row."""
    return StepState(
        status=StepStatus(row.status),
        due_at=row.due_at,
        waiting_for=row.waiting_for,
        port=row.port,
        exhausted=row.exhausted,
    )


def seconds_until(moment: datetime, now: datetime) -> float:
    """Seconds from `now` to `moment`, never negative."""
    return max((moment - now).total_seconds(), 0.0)
