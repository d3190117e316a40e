"""Results that came after their lease had passed on: history, never state."""

from __future__ import annotations

from collections.abc import Iterable

from runs.engine.attempts import attempt_row
from runs.engine.held import Held
from runs.engine.task import Result
from runs.models import DeliveryAttempt, RunLog, StepRun
from runs.states import AttemptOutcome


def attempts_of(
    held: Held, results: Iterable[Result]
) -> list[tuple[str, DeliveryAttempt]]:
    """The attempts that these results tell of, each with its step's id; not stored."""
    rows = []
    for result in results:
        record = getattr(result.outcome, "attempt", None)
        if record is not None:
            row = attempt_row(held.run_id, result.attempt, record, result.verify)
            rows.append((result.node_id, row))
    return rows


def keep_late(held: Held, attempts: Iterable[tuple[str, DeliveryAttempt]]) -> None:
    """History of a lost lease: the answer replaces the `unknown` written for it.

    State is fenced, history is not. The state that the results would have made is
    discarded, and a log line says so.
    """
    rows = dict(StepRun.objects.filter(run=held.run_id).values_list("node_id", "pk"))
    for node_id, attempt in attempts:
        if node_id not in rows:
            continue
        attempt.step_run_id = rows[node_id]
        attempt.next_due_at = None
        _replace_unknown(attempt)
        RunLog.objects.create(
            run_id=held.run_id,
            node_id=node_id,
            level=RunLog.Level.WARNING,
            message=f"A late result of attempt {attempt.number} was discarded: "
            "the run had passed to another worker or had ended.",
        )


def _replace_unknown(attempt: DeliveryAttempt) -> None:
    names = [
        item.name
        for item in DeliveryAttempt._meta.concrete_fields
        if item.name not in ("id", "run", "step_run", "number", "verify")
    ]
    written_off = DeliveryAttempt.objects.filter(
        step_run=attempt.step_run_id,
        number=attempt.number,
        verify=attempt.verify,
        outcome=AttemptOutcome.UNKNOWN,
        error_kind="interrupted",
    )
    if not written_off.update(**{name: getattr(attempt, name) for name in names}):
        DeliveryAttempt.objects.bulk_create([attempt], ignore_conflicts=True)
