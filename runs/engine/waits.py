"""Steps that wait for an answer: a webhook of their own, or somebody's approval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from automate.lib.jsonio import storable
from runs.engine.held import Held
from runs.engine.payload import parse_body, readable
from runs.engine.rows import Rows
from runs.engine.task import Result
from runs.models import StepRun, WaitToken
from runs.states import StepStatus
from workflows.actions.outcomes import ErrorInfo, WaitForSignal

TIMEOUT = "timeout"  # the port


def look_up(work: Mapping[Held, Sequence[Result]]) -> None:
    """Read the answers that came before their steps wait; call with the jobs locked.

    Under the lock an answer is either found here, or finds the step waiting. One
    query, and only when a step begins to wait.
    """
    begun: dict[tuple[UUID, str], Held] = {}
    for held, results in work.items():
        for result in results:
            if isinstance(result.outcome, WaitForSignal):
                begun[held.run_id, result.node_id] = held
                held.early = {}
    if not begun:
        return
    answered = WaitToken.objects.exclude(decision="").filter(
        run__in={run_id for run_id, _ in begun}, node_id__in={name for _, name in begun}
    )
    for token in answered.select_related("answered_by"):
        if asked := begun.get((token.run_id, token.node_id)):
            asked.early[token.node_id] = token


def begin(rows: Rows, row: StepRun, outcome: WaitForSignal) -> WaitForSignal:
    """The step waits, at most until its time-out; answered already, it is done.

    Returns what it waits for. No wait outlasts its run, and none says so.
    """
    deadline = rows.held.run.deadline
    if deadline is not None and deadline < outcome.until:
        outcome = replace(outcome, until=deadline)
    token = rows.held.early.get(row.node_id)
    if token is None:
        rows.wait(row, "signal", outcome.until)
    else:
        rows.finish(row, StepStatus.SUCCEEDED, output_of(token), token.decision)
        rows.held.supplies.give(row.output)
        rows.keep(row)
    return outcome


def expire(rows: Rows) -> None:
    """Waits whose time is over take `timeout`; where nothing leads on, they fail."""
    for node_id, row in list(rows.rows.items()):
        if row.status != StepStatus.WAITING or row.waiting_for != "signal":
            continue
        if row.due_at is None or row.due_at > rows.now:
            continue
        message = f"Nobody answered by {row.due_at:%Y-%m-%d %H:%M:%S} UTC."
        row = rows.change(node_id)
        if rows.version.graph.leaves(node_id, TIMEOUT):
            rows.finish(row, StepStatus.SUCCEEDED, {"timed_out": True}, TIMEOUT)
        else:
            rows.fail(row, ErrorInfo("wait_timeout", message))


def output_of(token: WaitToken) -> dict[str, Any]:
    """What the step gives whose answer this is.

    Raises UnreadablePayload when the answer is encrypted under a key that is missing.
    """
    at = token.answered_at
    moment = at.isoformat().replace("+00:00", "Z") if at else None
    if token.kind == WaitToken.Kind.WEBHOOK:
        body = readable(token.body, "answer")
        return {
            "payload": parse_body(bytes(body), token.content_type),
            "headers": readable(token.headers, "answer"),
            "query": readable(token.query, "answer"),
            "received_at": moment,
        }
    decided = {
        "decision": token.decision,
        "by": token.answered_by.email if token.answered_by else None,
        "comment": token.comment,
        "decided_at": moment,
    }
    if token.kind != WaitToken.Kind.UNKNOWN:
        return decided
    data = parse_body(bytes(readable(token.body, "answer")), "application/json")
    return {"status": None, "headers": {}, "body": data, **decided}


def write(begun: Iterable[tuple[UUID, str, WaitForSignal]]) -> None:
    """Keep that these steps wait, and for what; an answer that is there stays."""
    begun = list(begun)
    for run_id, node_id, outcome in begun:
        if outcome.kind == "unknown":  # answered for an earlier attempt
            WaitToken.objects.filter(run=run_id, node_id=node_id).delete()
    tokens = [
        WaitToken(
            run_id=run_id,
            node_id=node_id,
            kind=outcome.kind,
            details=storable(outcome.details),
            expires_at=outcome.until,
        )
        for run_id, node_id, outcome in begun
    ]
    if tokens:
        WaitToken.objects.bulk_create(
            tokens,
            update_conflicts=True,
            unique_fields=("run", "node_id"),
            update_fields=("details", "expires_at"),
        )
