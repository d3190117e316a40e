"""Answering a step that waits: by a person, or through its signed address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Least, Now

from automate.accounts.audit import record as audit
from automate.accounts.models import ApiKey, User
from automate.lib.database import repeat, write_transaction
from automate.lib.jsonio import storable_text
from automate.lib.payloads import get_ring
from runs.engine import wake
from runs.engine.clock import database_now
from runs.engine.waits import output_of
from runs.models import Job, Run, RunLog, StepRun, WaitToken
from runs.payloads import STEP_OUTPUT, Kept, discard, keep_output, refer
from runs.services.asked import (
    FOR_AN_ANSWER,
    STEP_OVER,
    is_waiting,
    may_decide,
    state_of,
    step_of,
    token_of,
)
from runs.services.errors import AlreadyAnswered, NotAnApprover, NotWaiting, WaitOver
from runs.states import StepStatus

By = User | ApiKey | None
Decision = WaitToken.Decision
LONGEST_COMMENT = 2000
_AUDITED = {
    Decision.RECEIVED: "run.resume",
    Decision.APPROVED: "run.approve",
    Decision.REJECTED: "run.reject",
    Decision.HAPPENED: "run.say_happened",
    Decision.NOT_HAPPENED: "run.say_not_happened",
    Decision.GAVE_UP: "run.give_up",
}
_DONE = {
    Decision.RECEIVED: "Resumed",
    Decision.APPROVED: "Approved",
    Decision.REJECTED: "Rejected",
    Decision.HAPPENED: "It had its effect, as was said",
    Decision.NOT_HAPPENED: "It had no effect and is sent again, as was said",
    Decision.GAVE_UP: "The step was given up",
}
_OF_UNKNOWN = (Decision.HAPPENED, Decision.NOT_HAPPENED, Decision.GAVE_UP)


@dataclass(frozen=True, slots=True)
class Given:
    """An answer: a decision, with what was said about it or what a webhook brought."""

    decision: WaitToken.Decision
    comment: str = ""
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, Any] = field(default_factory=dict, repr=False)
    source_ip: str | None = None

    @property
    def kind(self) -> WaitToken.Kind:
        """The kind of wait that this answers."""
        if self.decision == Decision.RECEIVED:
            return WaitToken.Kind.WEBHOOK
        if self.decision in _OF_UNKNOWN:
            return WaitToken.Kind.UNKNOWN
        return WaitToken.Kind.APPROVAL


def resume(run_id: UUID, node_id: str, given: Given, *, by: By = None) -> bool:
    """Answer a step once. False: it does not wait yet, the answer is kept for it.

    `by` None: somebody with the step's address, who has proved that. A person answers
    only a step that waits, and one with approvers only as one of them. Raises
    AlreadyAnswered, WaitOver, NotWaiting and NotAnApprover.

    Everything happens under the lock of the run's job, like whatever else changes the
    run: two answers, or an answer and the time-out, cannot both win.
    """
    aside = _put_aside(run_id, node_id, given)
    waits = False
    try:
        waits = repeat(lambda: _resume(run_id, node_id, given, by, aside))
    finally:
        if aside is not None and not waits:
            discard(aside.kept)
    return waits


@dataclass(frozen=True, slots=True)
class Aside:
    """The output of an answered step, which is too large for its row; made at `at`."""

    at: datetime
    kept: Kept


def _put_aside(run_id: UUID, node_id: str, given: Given) -> Aside | None:
    """What has to leave the row, before the transaction: it may await a network.

    Only where the step seems to wait. What comes earlier stays in its row: the drain
    that takes it over may not fetch it. Raises PayloadStoreAway.
    """
    if len(given.body) <= settings.INLINE_LIMIT:
        return None
    if connection.in_atomic_block and get_ring().writer.external:
        return None
    if state_of(step_of(run_id, node_id)) != FOR_AN_ANSWER:
        return None
    token = token_of(run_id, node_id, given.kind)
    if token.decision or token.kind != given.kind:
        return None
    at = database_now()
    _fill(token, given, None, at)
    kept = keep_output(STEP_OUTPUT, output_of(token))
    return None if kept is None else Aside(at, kept)


def _resume(
    run_id: UUID, node_id: str, given: Given, by: By, aside: Aside | None
) -> bool:
    with write_transaction():
        job = Job.objects.filter(run=run_id).select_for_update(no_key=True).first()
        now = aside.at if aside else database_now()
        token = token_of(run_id, node_id, given.kind)
        step = step_of(run_id, node_id)
        waits = is_waiting(token, state_of(step), job)
        if token.kind != given.kind:
            raise NotWaiting(f"Step {node_id} waits for another kind of answer.")
        _check_person(token, by, waits=waits)
        _write(token, given, by, now, in_output=waits)
        if job is not None and waits:
            output = aside.kept.value if aside else output_of(token)
            _finish(step, token, now, output)
            refer([(run_id, aside.kept)] if aside else [])
            Job.objects.filter(pk=job.pk).update(
                signal_count=F("signal_count") + 1, due_at=Least(F("due_at"), Now())
            )
            transaction.on_commit(wake.notify)
        _tell(token, given, by, waits=waits)
    return waits


def _check_person(token: WaitToken, by: By, *, waits: bool) -> None:
    if by is None:
        return
    if not waits:
        raise NotWaiting(f"Step {token.node_id} does not wait for an answer.")
    if not may_decide(_user(by), token):
        raise NotAnApprover("Only the approvers that the step names may decide.")


def _user(by: By) -> User | None:
    return by.user if isinstance(by, ApiKey) else by


def _fill(token: WaitToken, given: Given, by: By, now: datetime) -> dict[str, Any]:
    """Give the token this answer, in memory; what is to be written of it."""
    answer: dict[str, Any] = {
        "decision": given.decision,
        "answered_at": now,
        "answered_by": _user(by),
        "comment": storable_text(given.comment.strip())[:LONGEST_COMMENT],
        "body": given.body,
        "content_type": storable_text(given.content_type)[:200],
        "headers": dict(given.headers),
        "query": dict(given.query),
        "source_ip": given.source_ip,
    }
    for name, value in answer.items():
        setattr(token, name, value)
    return answer


def _write(
    token: WaitToken, given: Given, by: By, now: datetime, *, in_output: bool
) -> None:
    """Store the answer; a large body only once, where the step's output has it."""
    answer = _fill(token, given, by, now)
    if token.pk is None:
        token.save(force_insert=True)
        return
    if in_output and len(given.body) > settings.INLINE_LIMIT:
        answer["body"] = b""
    unanswered = WaitToken.objects.filter(pk=token.pk, decision="")
    if not unanswered.update(**answer):
        raise AlreadyAnswered(token.decision, now)


def _finish(
    step: QuerySet[StepRun], token: WaitToken, now: datetime, output: Any
) -> None:
    waiting = step.filter(status=StepStatus.WAITING, waiting_for="signal")
    changed = waiting.update(**_following(token, now, output))
    if not changed:
        raise WaitOver(STEP_OVER)


def _following(token: WaitToken, now: datetime, output: Any) -> dict[str, Any]:
    """What becomes of the step with this answer."""
    if token.decision == Decision.NOT_HAPPENED:
        return {"waiting_for": "retry", "due_at": now, "interrupted": False}
    over = {
        "waiting_for": "",
        "due_at": None,
        "interrupted": False,
        "finished_at": now,
    }
    if token.decision == Decision.GAVE_UP:
        text = f"It is not known whether this had its effect. {token.comment}".strip()
        wrong = {"error_class": "unknown", "error_message": text}
        return {**over, **wrong, "status": StepStatus.FAILED}
    return {
        **over,
        "status": StepStatus.SUCCEEDED,
        # What a request's step takes besides success is its kind's affair.
        "port": "" if token.kind == WaitToken.Kind.UNKNOWN else token.decision,
        "output": output,
        "error_class": "",
        "error_message": "",
    }


def _tell(token: WaitToken, given: Given, by: By, *, waits: bool) -> None:
    how = f"by {by}" if by else "through its address"
    later = "" if waits else ", before the step waits; the answer is kept"
    message = f"{_DONE[given.decision]} {how}{later}."
    RunLog.objects.create(run_id=token.run_id, node_id=token.node_id, message=message)
    if by is not None:
        changes = {"step": token.node_id, "comment": token.comment}
        run = Run.objects.only("pk").get(pk=token.run_id)
        audit(_AUDITED[given.decision], run, by=by, changes=changes)
