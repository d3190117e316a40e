"""What an action returns: frozen values that the engine matches on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

AttemptOutcome = Literal["not_sent", "delivered", "rejected", "unknown"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """Why a step did not succeed: a stable class name and a redacted sentence."""

    error_class: str
    message: str


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One HTTP request as people may read it: redacted and cut to size.

    `outcome`: `not_sent` (no byte left), `delivered` (2xx), `rejected` (another full
    answer), `unknown` (bytes may have left and no trustworthy answer came).
    """

    method: str
    url: str
    request_headers: dict[str, str]
    request_body: str
    request_truncated: bool
    response_status: int | None
    response_headers: dict[str, str]
    response_body: str
    response_truncated: bool
    error_kind: str
    error_message: str
    outcome: AttemptOutcome
    started_at: datetime
    duration_ms: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line for the run's log; the engine redacts it. `data` is a JSON tree."""

    level: LogLevel
    message: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """The step succeeded; `output` is a JSON tree.

    `port` is the one of the action's own ports that it took; empty: only `success`.
    `logs` are written with the result.
    """

    output: Any = None
    attempt: AttemptRecord | None = None
    port: str = ""
    logs: tuple[LogLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """The step may succeed later; `after` is what the receiver asked for, in seconds.

    `output` becomes the step's output if this was the last attempt.
    """

    error: ErrorInfo
    after: float | None = None
    attempt: AttemptRecord | None = None
    output: Any = None


@dataclass(frozen=True, slots=True)
class Gone:
    """This connection's receiver is gone for good: it is not to be used any more."""

    connection: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """Trying again cannot help; with `gone` nor can any step of that connection."""

    error: ErrorInfo
    attempt: AttemptRecord | None = None
    output: Any = None
    gone: Gone | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep until the aware time `until`; then the step is done with `output`."""

    until: datetime
    output: Any = None


@dataclass(frozen=True, slots=True)
class WaitForSignal:
    """Hold no worker until somebody answers, or until the aware time `until`.

    `kind` is `webhook` (anybody with the signed address) or `approval` (that, or an
    operator), or `unknown`: an operator says what became of a request, which only the
    engine asks. `details` is what those who answer are shown, a JSON tree.
    """

    until: datetime
    kind: Literal["webhook", "approval", "unknown"]
    details: Any = None


@dataclass(frozen=True, slots=True)
class StartChildren:
    """Start a child run for each of `inputs` and wait until all have ended.

    `workflow` is the slug of another workflow, which gets `variables`; empty: the
    step's own inline body.
    `concurrency` children run at once, the others are held back. `on_item_error`:
    `stop` fails the step at the first child that does not succeed, `continue`
    collects what the others give. `waits` False: the step is done once they started.
    """

    inputs: tuple[Any, ...] = field(repr=False)
    workflow: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    concurrency: int = 1
    on_item_error: Literal["stop", "continue"] = "stop"
    waits: bool = True


Outcome = Done | Retry | Fail | Wait | WaitForSignal | StartChildren
