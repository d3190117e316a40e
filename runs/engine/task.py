"""What a drain hands to its step threads, and what they hand back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runs.engine.held import Held
from runs.engine.versions import Node
from runs.payloads import Kept
from workflows.actions.outcomes import AttemptRecord, ErrorInfo, Outcome


@dataclass(frozen=True, slots=True)
class Dropped:
    """The step was not begun, because its lease no longer holds."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The worker stops; what became of the request is not known."""


@dataclass(frozen=True, slots=True)
class PutOff:
    """The step was not begun: what it reads is in a store that is away."""

    error: ErrorInfo
    seconds: float


@dataclass(frozen=True, slots=True)
class NotHappened:
    """The verify request was answered: the step's request had no effect."""

    attempt: AttemptRecord | None = None


# What is no outcome of the step's own.
NotBegun = Dropped | Interrupted | PutOff


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt at a step went. `input` is rendered and redacted.

    `kept` is the outcome's output where it is too large for its row. With `verify` it
    is how the verify request of this number went: Done says that the effect of the
    attempt has happened.
    """

    held: Held
    node_id: str
    attempt: int
    outcome: Outcome | NotBegun | NotHappened
    input: Any = None
    kept: Kept | None = None
    verify: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at one step, with all that it needs; or a verify request after it."""

    held: Held
    node: Node
    attempt: int
    key: str
    verify: int = 0


@dataclass(slots=True)
class Shown:
    """What people may see of a step before it is executed: all of it redacted.

    `input` is the rendered config, `request` what the action says it would send,
    `failure` why it would come to neither.
    """

    input: Any = None
    request: Any = None
    failure: ErrorInfo | None = None
