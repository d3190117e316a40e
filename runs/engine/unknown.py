"""What follows a request that was sent and never answered: `on_unknown`.

The attempt is `unknown`, whatever becomes of its step. `retry` sends again under the
same key; `fail` ends the step; `ask` waits for a person who says what became of it;
`verify` makes the step's verify request before anything is sent again, whose answer
decides. What only reads (RFC 9110, section 9.2.1) is sent again in any case.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from automate.lib.redaction import Redactor
from runs.engine import waits
from runs.engine.retry import delay_after
from runs.engine.task import NotHappened, PutOff, Result
from runs.engine.versions import Node
from runs.models import DeliveryAttempt, StepRun
from runs.states import AttemptOutcome, StepStatus
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Retry, WaitForSignal

if TYPE_CHECKING:
    from runs.engine.draft import Draft

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
ASK_FOR = timedelta(days=30)
_VANISHED = "The worker stopped while the request was under way."


def told(error: ErrorInfo, attempt: DeliveryAttempt | None) -> ErrorInfo:
    """The error as people read it: an unknown outcome is not called a failure."""
    if attempt is None or attempt.outcome != AttemptOutcome.UNKNOWN:
        return error
    text = f"It is not known whether this had its effect: {error.message}"
    return replace(error, message=text)


def settle(
    draft: Draft, row: StepRun, outcome: Retry | Fail, attempt: DeliveryAttempt | None
) -> bool:
    """Do what the step says about an unknown outcome; False: it is tried as usual."""
    if attempt is None or attempt.outcome != AttemptOutcome.UNKNOWN:
        return False
    node = draft.node(row)
    error = told(outcome.error, attempt)
    match "retry" if attempt.method in SAFE else node.on_unknown:
        case "fail":
            draft.fail(row, error, outcome.output)
        case "ask":
            _ask(draft, row, error, f"{attempt.method} {attempt.url}")
        case "verify" if node.verify is not None:
            draft.note_error(row, error)
            row.interrupted, row.verifies = True, 0
            _wait(draft, row, row.attempt, outcome)
            attempt.next_due_at = row.due_at
        case _:
            return False
    return True


def of_interrupted(draft: Draft) -> None:
    """The same for steps whose worker vanished; verifying begins with `must_verify`."""
    for node_id, row in list(draft.rows.items()):
        node = draft.version.nodes.get(node_id)
        if not row.interrupted or node is None or not node.action.sends:
            continue
        method, url = node.action.target(node.config)
        if row.status != StepStatus.WAITING or method.upper() in SAFE:
            continue
        if node.on_unknown == "fail":
            message = (
                f"{_VANISHED[:-1]}; what became of it is unknown, and on_unknown is "
                "fail."
            )
            draft.fail(draft.change(node_id), ErrorInfo("unknown", message))
        elif node.on_unknown == "ask":
            request = f"{method} {Redactor().url(url)}"
            error = ErrorInfo("unknown", _VANISHED)
            _ask(draft, draft.change(node_id), error, request)


def must_verify(node: Node, row: StepRun) -> bool:
    """Whether the step's next request is the one that verifies the last."""
    wanted = row.interrupted and node.on_unknown == "verify"
    return wanted and node.verify is not None


def verified(draft: Draft, row: StepRun, result: Result) -> None:
    """Take over how a verify request went.

    One that proves nothing is repeated like any request: as often as the step is tried
    at most, then it fails, its outcome still unknown.
    """
    outcome, node = result.outcome, draft.node(row)
    match outcome:
        case Done(output=output, attempt=attempt):
            draft.attempt(row, attempt, result.verify)
            draft.log("Verified: it had its effect.", node_id=row.node_id)
            draft.finish(row, StepStatus.SUCCEEDED, output)
        case NotHappened(attempt=attempt):
            draft.attempt(row, attempt, result.verify)
            draft.log("Verified: it had no effect.", node_id=row.node_id)
            row.interrupted, row.verifies = False, 0
            if row.attempt < node.retry.max_attempts:
                draft.wait(row, "retry", draft.now)
                return
            row.exhausted = True
            text = "The verify request says that it had no effect; its tries are over."
            draft.fail(row, ErrorInfo(row.error_class or "unknown", text))
        case Retry() | Fail():
            attempt_row = draft.attempt(row, outcome.attempt, result.verify)
            _unverified(draft, row, outcome, attempt_row)
        case _:  # not made, or nobody knows how it went: again
            row.verifies = max(row.verifies - 1, 0)
            after = outcome.seconds if isinstance(outcome, PutOff) else 0.0
            draft.wait(row, "retry", draft.now + timedelta(seconds=after))


def _unverified(
    draft: Draft,
    row: StepRun,
    outcome: Retry | Fail,
    attempt: DeliveryAttempt | None,
) -> None:
    error = ErrorInfo(
        "unknown",
        "It is not known whether this had its effect, and the verify request failed: "
        f"{outcome.error.message}",
    )
    if row.verifies >= draft.node(row).retry.max_attempts:
        row.exhausted = True
        draft.fail(row, error)
        return
    draft.note_error(row, error)
    _wait(draft, row, row.verifies, outcome)
    if attempt is not None:
        attempt.next_due_at = row.due_at


def _wait(draft: Draft, row: StepRun, number: int, outcome: Retry | Fail) -> None:
    """As long as before the try after this number, also where that was the last."""
    policy = draft.node(row).retry
    delay = delay_after(
        replace(policy, max_attempts=max(policy.max_attempts, number + 1)),
        number,
        retry_after=outcome.after if isinstance(outcome, Retry) else None,
        dice=random.random(),  # noqa: S311 - spreads load
    )
    draft.wait(row, "retry", draft.now + timedelta(seconds=delay or 0.0))


def _ask(draft: Draft, row: StepRun, error: ErrorInfo, request: str) -> None:
    draft.note_error(row, error)
    row.interrupted = False
    text = f"{request} was sent and not answered. Has it had its effect?"
    wanted = WaitForSignal(
        draft.now + ASK_FOR, "unknown", {"message": text, "details": error.message}
    )
    draft.tokens.append((row.node_id, waits.begin(draft, row, wanted)))
    draft.log("Waits for somebody to say what became of it.", node_id=row.node_id)
