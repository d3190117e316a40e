"""The states of runs, steps and attempts, known to models and to pure code alike."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """A run's stored state. `waiting` is derived from its job when shown."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DEAD_LETTER = "dead_letter"
    CANCELLED = "cancelled"


FINAL_RUN = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.DEAD_LETTER,
        RunStatus.CANCELLED,
    }
)
WAITING = "waiting"


class StepStatus(StrEnum):
    """A step run's state. A pending step has no row yet."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


FINAL_STEP = frozenset(
    {
        StepStatus.SUCCEEDED,
        StepStatus.FAILED,
        StepStatus.SKIPPED,
        StepStatus.CANCELLED,
    }
)


class AttemptOutcome(StrEnum):
    """What is known of an HTTP request's effect (docs/architecture.md)."""

    NOT_SENT = "not_sent"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


def choices(states: type[StrEnum]) -> list[tuple[str, str]]:
    """Django's `choices` of an enumeration of states."""
    return [(state.value, state.value.replace("_", " ")) for state in states]
