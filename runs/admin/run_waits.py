"""What the page of a run shows of steps that wait for an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser

from automate.accounts.admin.html import moment, pretty
from automate.accounts.models import User
from automate.lib.redaction import Redactor
from runs.addresses import address_of
from runs.models import Run, StepRun, WaitToken
from runs.redaction import clean
from runs.services import may_decide
from runs.services.open_waits import shown_details
from runs.states import StepStatus

SEALED_ANSWER = ("body", "headers", "query")


ASKING = ("approval", "wait_for_webhook")


@dataclass(frozen=True, slots=True)
class AnsweredView:
    """How a step that waited was answered: in words, and what was said about it."""

    said: str
    comment: str


@dataclass(frozen=True, slots=True)
class WaitView:
    """One waiting step: what is asked, and for those who may answer its address."""

    token: WaitToken
    message: str
    details: str
    approvers: Sequence[str]
    address: str = ""

    @property
    def is_approval(self) -> bool:
        """Whether a decision is asked for; otherwise data."""
        return self.token.kind == WaitToken.Kind.APPROVAL

    @property
    def is_unknown(self) -> bool:
        """Whether somebody is to say what became of a request."""
        return self.token.kind == WaitToken.Kind.UNKNOWN

    @property
    def is_webhook(self) -> bool:
        """Whether data are awaited, from whoever calls the address."""
        return self.token.kind == WaitToken.Kind.WEBHOOK

    @property
    def may_answer(self) -> bool:
        """Whether this person may."""
        return bool(self.address)


def waits_of(
    run: Run,
    steps: Sequence[StepRun],
    redactor: Redactor,
    user: User | AnonymousUser | None,
) -> dict[str, WaitView]:
    """The waits among these steps by their ids; one query, if there are any."""
    names = [
        step.node_id
        for step in steps
        if (step.status, step.waiting_for) == (StepStatus.WAITING, "signal")
    ]
    if not names:
        return {}
    tokens = WaitToken.objects.filter(run=run, node_id__in=names, decision="")
    person = user if isinstance(user, User) else None
    allowed = person is not None and person.has_perm("runs.answer_waittoken")
    return {
        token.node_id: _wait(
            run, clean(token, redactor), may=allowed and may_decide(person, token)
        )
        for token in tokens.defer(*SEALED_ANSWER)
    }


def answers_of(
    run: Run, steps: Sequence[StepRun], redactor: Redactor
) -> dict[str, AnsweredView]:
    """How these steps were answered, by their ids; at most one query."""
    names = [step.node_id for step in steps if step.kind in ASKING and step.attempt]
    if not names:
        return {}
    tokens = WaitToken.objects.filter(run=run, node_id__in=names).exclude(decision="")
    rows = tokens.select_related("answered_by").defer(*SEALED_ANSWER, "details")
    return {token.node_id: _answered(clean(token, redactor)) for token in rows}


def _answered(token: WaitToken) -> AnsweredView:
    done = "Answered" if token.decision == token.Decision.RECEIVED else token.decision
    how = f"by {token.answered_by}" if token.answered_by else "through its address"
    sender = f" from {token.source_ip}" if token.source_ip else ""
    at = moment(token.answered_at)
    return AnsweredView(f"{done.capitalize()} {how}{sender} at {at}", token.comment)


def _wait(run: Run, token: WaitToken, *, may: bool) -> WaitView:
    details = shown_details(token)
    more = details.get("details")
    return WaitView(
        token,
        str(details.get("message", "")),
        more if isinstance(more, str) else pretty(more) if more is not None else "",
        details.get("approvers") or (),
        address_of(run.pk, token.node_id) if may else "",
    )
