"""What becomes of a step by an attempt's result: drafted, not yet written."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from runs.engine import children, unknown, waits
from runs.engine import output as run_output
from runs.engine.attempts import unknown_attempt
from runs.engine.retry import delay_after
from runs.engine.task import (
    Dropped,
    Interrupted,
    NotBegun,
    NotHappened,
    PutOff,
    Result,
)
from runs.models import StepRun
from runs.states import StepStatus
from workflows.actions.outcomes import (
    Done,
    Fail,
    LogLine,
    Outcome,
    Retry,
    StartChildren,
    Wait,
    WaitForSignal,
)

if TYPE_CHECKING:
    from runs.engine.draft import Draft


def settle(draft: Draft, result: Result) -> None:
    """Take over how an attempt went."""
    draft.settled.add(result.node_id)
    if result.node_id == run_output.NODE_ID:
        draft.rendered = result
        return
    row = draft.change(result.node_id)
    if result.input is not None:
        row.input = result.input
    if result.verify:
        unknown.verified(draft, row, result)
    elif not isinstance(result.outcome, NotHappened):
        _take(draft, row, result.outcome)
    if result.kept is not None:
        row.output = result.kept.value
        draft.kept.append(result.kept)


def _take(draft: Draft, row: StepRun, outcome: Outcome | NotBegun) -> None:
    match outcome:
        case Done(output=output, attempt=attempt, port=port, logs=logs):
            draft.attempt(row, attempt)
            _say(draft, row, logs)
            draft.finish(row, StepStatus.SUCCEEDED, output, port)
        case Fail():
            _fail(draft, row, outcome)
        case Retry():
            _retry(draft, row, outcome)
        case Wait(until=until, output=output):
            draft.wait(row, "time", until)
            row.output = output
        case WaitForSignal():
            begun = waits.begin(draft, row, outcome)
            draft.tokens.append((row.node_id, begun))
        case StartChildren():
            children.begin(draft, row, outcome)
        case Dropped():
            _again(draft, row, interrupted=False)
        case PutOff(error=error, seconds=seconds):
            _again(draft, row, interrupted=False, after=seconds)
            draft.note_error(row, error)
        case Interrupted():
            _again(draft, row, interrupted=True)
        case _ as never:
            assert_never(never)


def _say(draft: Draft, row: StepRun, lines: Iterable[LogLine]) -> None:
    """What the step says about the run, redacted where it was performed."""
    for line in lines:
        draft.log(
            line.message, node_id=row.node_id, level=line.level, metadata=line.data
        )


def _fail(draft: Draft, row: StepRun, outcome: Fail) -> None:
    attempt = draft.attempt(row, outcome.attempt)
    if not unknown.settle(draft, row, outcome, attempt):
        error = unknown.told(outcome.error, attempt)
        draft.fail(row, error, outcome.output)


def _retry(draft: Draft, row: StepRun, outcome: Retry) -> None:
    node = draft.node(row)
    attempt = draft.attempt(row, outcome.attempt)
    if unknown.settle(draft, row, outcome, attempt):
        return
    error = unknown.told(outcome.error, attempt)
    delay = delay_after(
        node.retry,
        row.attempt,
        retry_after=outcome.after,
        dice=random.random(),  # noqa: S311 - spreads load
    )
    if delay is None:
        row.exhausted = True
        draft.fail(row, error, outcome.output)
        return
    draft.note_error(row, error)
    draft.wait(row, "retry", draft.now + timedelta(seconds=delay))
    if attempt is not None:
        attempt.next_due_at = row.due_at


def _again(
    draft: Draft, row: StepRun, *, interrupted: bool, after: float = 0.0
) -> None:
    """Due again, under the same key; a dropped attempt was never begun."""
    if interrupted and draft.node(row).action.sends:
        attempt = unknown_attempt(draft.held.run_id, row, draft.node(row), draft.now)
        draft.attempts.append((row.node_id, attempt))
    if not interrupted:
        row.attempt -= 1
    draft.wait(row, "retry", draft.now + timedelta(seconds=after))
    row.interrupted = interrupted
