"""What an action returns: frozen values that the engine matches on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

AttemptOutcome = Literal["not_sent", "delivered", "rejected", "unknown"]


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
class Done:
    """The step succeeded; `output` is a JSON tree."""

    output: Any = None
    attempt: AttemptRecord | None = None


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
class Fail:
    """Trying again cannot help."""

    error: ErrorInfo
    attempt: AttemptRecord | None = None
    output: Any = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep until the aware time `until`; then the step is done with `output`."""

    until: datetime
    output: Any = None


Outcome = Done | Retry | Fail | Wait
