"""What the page of a run shows of steps that wait for an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser

from automate.accounts.admin.html import pretty
from automate.accounts.models import User
from automate.lib.encryption import Unreadable
from automate.lib.redaction import Redactor
from runs.addresses import address_of
from runs.models import Run, StepRun, WaitToken
from runs.redaction import clean
from runs.services import may_decide
from runs.states import StepStatus

SEALED_ANSWER = ("body", "headers", "query")


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


def shown_details(token: WaitToken) -> Mapping[str, Any]:
    """What is asked; says so when it cannot be read."""
    details: Any = token.details
    if isinstance(details, Unreadable):
        return {"message": str(details)}
    return details if isinstance(details, Mapping) else {}
