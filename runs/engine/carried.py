"""Step runs that a redrive takes along from the run before it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from runs.models import StepRun
from runs.states import AttemptOutcome, StepStatus

# The last attempt may have had its effect, or had surely none.
IN_DOUBT = (AttemptOutcome.UNKNOWN, AttemptOutcome.NOT_SENT)


def pending(row: StepRun, run_id: UUID, *, unknown: bool = False) -> StepRun:
    """The step yet to be done in the other run, under the same idempotency key.

    `unknown`: it may have had its effect, which is verified first where it can be.
    """
    return StepRun(
        run_id=run_id,
        node_id=row.node_id,
        kind=row.kind,
        status=StepStatus.PENDING,
        generation=row.generation,
        idempotency_key=row.idempotency_key,
        interrupted=unknown,
    )


def is_done(row: StepRun, on_error: Mapping[str, str]) -> bool:
    """True for a step whose fate the run had taken into account and gone on from.

    One that succeeded, or failed where `on_error` leads on: to do it again could take
    another way than the one that was taken.
    """
    if row.status == StepStatus.FAILED:
        return on_error.get(row.node_id, "stop") != "stop"
    return row.status == StepStatus.SUCCEEDED


def copy_of(row: StepRun, run_id: UUID) -> StepRun:
    """The finished step as a step of the other run."""
    return StepRun(
        run_id=run_id,
        node_id=row.node_id,
        kind=row.kind,
        status=row.status,
        attempt=row.attempt,
        port=row.port,
        generation=row.generation,
        idempotency_key=row.idempotency_key,
        input=row.input,
        output=row.output,
        error_class=row.error_class,
        error_message=row.error_message,
        exhausted=row.exhausted,
        carried_from=row,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
