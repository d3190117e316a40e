"""Answers to steps that wait, through their signed addresses."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError

from automate.lib import jsonio
from automate.lib.clock import Clock, SystemClock
from automate.lib.errors import Code
from runs import addresses, services
from runs.models import Run
from runs.services import Decision, Given
from webhooks import record, resume_page
from webhooks.answers import Answer, Reason, TurnedAway, unauthorized, unavailable
from webhooks.arrival import Arrival, Incoming
from webhooks.body import BadBody, BodyReader
from webhooks.gates import body as body_gates
from webhooks.headers import safe_headers

logger = logging.getLogger(__name__)

LARGEST_DECISION = 64 * 1024
METHODS = {"webhook": ("POST", "PUT"), "approval": ("GET", "HEAD", "POST")}
STATUSES = {services.AlreadyAnswered: 409, services.WaitOver: 410}
_clock = SystemClock()


@dataclass(frozen=True, slots=True)
class Asked:
    """The step that an address belongs to; `kind` says by what it is answered."""

    run_id: UUID
    node_id: str
    kind: str


def receive(incoming: Incoming, clock: Clock = _clock) -> Answer:
    """The answer to one request; a 2xx means that the run will go on by it."""
    arrival = Arrival(incoming, clock.now())
    try:
        return _answer(arrival)
    except TurnedAway as error:
        if not error.proven and error.reason:
            row = arrival.rejected(error.reason, error.status, error.detail)
            record.tally.add(row, arrival.now)
        refused = error
    except services.RunServiceError as error:
        refused = _refusal(error)
    except (OperationalError, InterfaceError) as error:
        logger.warning("an answer could not be stored: %s", error)
        refused = unavailable(str(error))
    if resume_page.is_wanted(arrival):
        return resume_page.refusal(refused)
    return refused.answer(arrival.header("accept"))


def _refusal(error: services.RunServiceError) -> TurnedAway:
    status = STATUSES.get(type(error), 409)
    message = error.message
    if isinstance(error, services.AlreadyAnswered):
        message = error.to_strangers
    return TurnedAway(None, status, error.code, message)


def _answer(arrival: Arrival) -> Answer:
    asked = _asked(arrival)
    method, allowed = arrival.incoming.method, METHODS[asked.kind]
    if method not in allowed:
        names = ", ".join(allowed)
        raise TurnedAway(
            None,
            405,
            Code.METHOD_NOT_ALLOWED,
            f"This address takes {names}.",
            headers={"Allow": names},
        )
    if method in ("GET", "HEAD"):
        return resume_page.question(services.look_at(asked.run_id, asked.node_id))
    body_gates.encoding(arrival)
    _read(arrival, LARGEST_DECISION if asked.kind == "approval" else settings.MAX_BODY)
    body_gates.well_formed(arrival)
    given = _decision(arrival) if asked.kind == "approval" else _data(arrival)
    waited = services.resume(asked.run_id, asked.node_id, given)
    if resume_page.is_wanted(arrival):
        return resume_page.thanks(given, arrival.now, waited=waited)
    body = {
        "run_id": str(asked.run_id),
        "node": asked.node_id,
        "status": str(given.decision),
    }
    return Answer(200 if waited else 202, jsonio.dumps(body).encode())


def _asked(arrival: Arrival) -> Asked:
    """The step with this address; for all who have none of ours, one refusal."""
    parts = arrival.incoming.address.strip("/").split("/")
    run_id, node_id, signature = parts if len(parts) == 3 else ("", "", "")
    if not addresses.may_answer(run_id, node_id, signature):
        _discard(arrival)
        raise _no_such_address()
    run = (
        Run.objects.filter(pk=run_id)
        .select_related("version")
        .only("pk", "version__definition")
        .first()
    )
    if run is None:
        raise services.WaitOver("The run is not kept any more.")
    kind = addresses.answered_by(run.version.definition, node_id)
    if kind not in METHODS:
        raise services.WaitOver("This step does not wait for answers.")
    return Asked(run.pk, node_id, kind)


def _no_such_address() -> TurnedAway:
    """One answer for every address that is none of ours."""
    refused = unauthorized(Reason.BAD_SIGNATURE, "No step has this address.")
    refused.message = (
        "No question belongs to this address. It may be incomplete or mistyped: use "
        "the whole link as it was sent."
    )
    return refused


def _discard(arrival: Arrival) -> None:
    try:
        BodyReader(arrival.incoming.environ).discard()
    except BadBody as error:
        logger.debug("the body of a stranger: %s", error.message)


def _read(arrival: Arrival, cap: int) -> None:
    try:
        reader = BodyReader(arrival.incoming.environ)
        body = reader.read(cap)
    except BadBody as error:
        raise TurnedAway(None, error.status, Code.MALFORMED, error.message) from None
    arrival.size = reader.length or reader.size
    if body is None:
        reader.discard()
        raise TurnedAway(
            None, 413, Code.BODY_TOO_LARGE, f"The body is larger than {cap} bytes."
        )
    arrival.body = body


def _data(arrival: Arrival) -> Given:
    return Given(
        Decision.RECEIVED,
        body=arrival.body,
        content_type=arrival.content_type,
        headers=safe_headers(arrival.headers),
        query=arrival.query,
        source_ip=arrival.source_ip,
    )


def _decision(arrival: Arrival) -> Given:
    form = arrival.payload
    if not isinstance(form, Mapping):
        raise _malformed("decision", 'send {"decision": "approved"} or "rejected"')
    for name in form:
        if name not in ("decision", "comment"):
            raise _malformed(name, "is unknown; there are decision and comment")
    decision, comment = form.get("decision"), form.get("comment", "")
    if decision not in (Decision.APPROVED, Decision.REJECTED):
        raise _malformed("decision", 'must be "approved" or "rejected"')
    if not isinstance(comment, str):
        raise _malformed("comment", "must be text")
    return Given(
        Decision(decision),
        comment=comment,
        body=arrival.body,
        content_type=arrival.content_type,
        headers=safe_headers(arrival.headers),
        source_ip=arrival.source_ip,
    )


def _malformed(field: str, issue: str) -> TurnedAway:
    return TurnedAway(
        None,
        400,
        Code.VALIDATION_ERROR,
        f"The decision cannot be read: {field} {issue}.",
        errors=[(field, issue)],
    )
