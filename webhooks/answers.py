"""What the edge answers, and the exception by which a gate answers early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from automate.lib import jsonio
from automate.lib.errors import JSON, Code, encode_error
from automate.lib.sliding import Standing
from webhooks.models import InboundEvent

Reason = InboundEvent.Reason
RETRY_AFTER = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: its status, body and headers."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class TurnedAway(Exception):
    """The event does not become a run.

    `message` and `errors` are for the sender, `detail` for operators; `proven` says
    that the sender has proved who it is. Others, and where `counted` says so, are
    counted by the minute, not kept one by one. `reason` None: nothing is recorded.
    """

    def __init__(
        self,
        reason: InboundEvent.Reason | None,
        status: int,
        code: str,
        message: str,
        *,
        detail: str = "",
        proven: bool = True,
        counted: bool = False,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        first_run_id: UUID | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail or message
        self.proven = proven
        self.counted = counted or not proven
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.first_run_id = first_run_id

    def at(self, place: str) -> TurnedAway:
        """The same about one event of a batch: "[3]"."""
        self.message = f"Event {place}: {self.message}"
        self.detail = f"Event {place}: {self.detail}"
        about = self.errors or (("", self.message),)
        self.errors = tuple(
            (f"{place}.{name}" if name else place, issue) for name, issue in about
        )
        return self

    def answer(self, accept: str) -> Answer:
        """The error in the form that the Accept header asks for."""
        body, kind = encode_error(
            self.code, self.message, self.status, errors=self.errors, accept=accept
        )
        return Answer(self.status, body, kind, self.headers)


def key_reused(first_run_id: UUID) -> TurnedAway:
    """The event's key came before, with other bytes."""
    return TurnedAway(
        Reason.KEY_REUSED,
        422,
        Code.IDEMPOTENCY_KEY_REUSED,
        "This event's id came before with another body.",
        first_run_id=first_run_id,
    )


def with_rate(answer: Answer, standing: Standing | None) -> Answer:
    """The answer, and how the sender stands with the trigger's rate limit."""
    if standing is None:
        return answer
    return replace(answer, headers={**answer.headers, **standing.headers("trigger")})


class Filtered(Exception):
    """The event is not one that the trigger wants: by its `event` or `condition`."""

    def __init__(self, by: str, detail: str) -> None:
        super().__init__(detail)
        self.by = by
        self.detail = detail


class Answered(Exception):
    """The event is no event: a provider's question, answered at once."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


def accepted(run_id: UUID, *, duplicate: bool) -> Answer:
    """202 for a new run, 200 for the one that this event became before."""
    text = '{"run_id":"%s","status":"%s","duplicate":%s}'
    status = "duplicate" if duplicate else "queued"
    body = text % (run_id, status, "true" if duplicate else "false")
    location = {"Location": f"/api/v1/runs/{run_id}"}
    return Answer(200 if duplicate else 202, body.encode(), headers=location)


def filtered(by: str) -> Answer:
    """200: everything is right with the event, and nothing happens."""
    body = {"run_id": None, "status": "filtered", "duplicate": False, "filtered_by": by}
    return Answer(200, jsonio.dumps(body).encode())


def unauthorized(reason: InboundEvent.Reason, detail: str) -> TurnedAway:
    """One answer for all who have not proved who they are."""
    return TurnedAway(
        reason,
        401,
        Code.UNAUTHORIZED,
        "There is no such webhook, or the request does not carry its valid signature.",
        detail=detail,
        proven=False,
        headers={"WWW-Authenticate": "Signature"},
    )


def unavailable(detail: str) -> TurnedAway:
    """503: nothing is wrong with the event, send it again in a moment."""
    return TurnedAway(
        None,
        503,
        Code.UNAVAILABLE,
        "The event cannot be stored at the moment; send it again.",
        detail=detail,
        proven=False,
        headers={"Retry-After": str(RETRY_AFTER)},
    )
