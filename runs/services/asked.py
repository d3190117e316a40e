"""What a step that waits asks, whether it still does, and who may decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from automate.accounts.models import User
from automate.lib.encryption import is_readable
from runs.models import Job, Run, StepRun, WaitToken
from runs.services.errors import AlreadyAnswered, WaitOver
from runs.states import FINAL_STEP, StepStatus

STEP_OVER = "The step is over; nobody waits for this answer any more."

State = tuple[str, str]  # a step's status, and what it waits for
FOR_AN_ANSWER: State = (StepStatus.WAITING, "signal")


@dataclass(frozen=True, slots=True)
class Question:
    """What those who decide are shown; `asked` False: the step does not wait yet."""

    run: Run
    node_id: str
    message: str = ""
    details: Any = None
    expires_at: datetime | None = None
    asked: bool = False


def look_at(run_id: UUID, node_id: str) -> Question:
    """What is to be decided at this step. Raises AlreadyAnswered and WaitOver."""
    run = Run.objects.select_related("workflow").get(pk=run_id)
    token = token_of(run_id, node_id, WaitToken.Kind.APPROVAL)
    job = Job.objects.filter(run=run_id).first()
    asked = is_waiting(token, state_of(step_of(run_id, node_id)), job)
    details = token.details if is_readable(token.details) else None
    shown = details if asked and isinstance(details, Mapping) else {}
    return Question(
        run,
        node_id,
        str(shown.get("message", "")),
        shown.get("details"),
        token.expires_at,
        asked,
    )


def may_decide(user: User | None, token: WaitToken) -> bool:
    """Whether the step's approvers, if it names any, include this person.

    Superusers may always: somebody must when an approver has left.
    """
    details = token.details if is_readable(token.details) else None
    approvers = details.get("approvers") if isinstance(details, Mapping) else None
    if not approvers or user is None:
        return user is not None
    return user.is_superuser or user.email.lower() in approvers


def token_of(run_id: UUID, node_id: str, kind: str) -> WaitToken:
    """The step's token; where it has none yet, a new one of this kind, not stored."""
    found = WaitToken.objects.filter(run=run_id, node_id=node_id)
    return found.select_related("answered_by").first() or WaitToken(
        run_id=run_id, node_id=node_id, kind=kind
    )


def step_of(run_id: UUID, node_id: str) -> QuerySet[StepRun]:
    """The row of this step, if there is one."""
    return StepRun.objects.filter(run=run_id, node_id=node_id)


def state_of(step: QuerySet[StepRun]) -> State | None:
    """The state of the step now; None for one without a row."""
    return step.values_list("status", "waiting_for").first()


def is_waiting(token: WaitToken, state: State | None, job: Job | None) -> bool:
    """True when the step waits for this answer, False when it may come to it yet.

    Raises AlreadyAnswered, and WaitOver where the step or its run has ended.
    """
    if token.decision:
        by = str(token.answered_by) if token.answered_by else ""
        raise AlreadyAnswered(token.decision, token.answered_at, by)
    if job is None:
        raise WaitOver("The run has ended; nobody waits for this answer any more.")
    if state is not None and state[0] in FINAL_STEP:
        raise WaitOver(STEP_OVER)
    return state == FOR_AN_ANSWER
