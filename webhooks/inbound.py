"""An event from the outside: gate after gate, then one transaction, then 202."""

from __future__ import annotations

import logging
from functools import partial
from uuid import UUID

from django.db import IntegrityError, InterfaceError, OperationalError

from automate.lib.clock import Clock, SystemClock
from automate.lib.errors import Code
from automate.lib.payloads import PayloadStoreAway
from runs.services import Accepted, Dedupe, Event, Target, accept, key_of
from runs.services.accept import known
from runs.services.search import read_keys
from webhooks import batch, handshake
from webhooks.answers import (
    Answer,
    Answered,
    Filtered,
    Reason,
    TurnedAway,
    accepted,
    filtered,
    key_reused,
    unavailable,
    with_rate,
)
from webhooks.arrival import Arrival, Incoming
from webhooks.gates import GATES, WANTED, pass_through
from webhooks.gates.wanted import scope_for
from webhooks.headers import traceparent
from webhooks.idempotency import dedupe_of, known_by
from webhooks.record import keep, tally
from webhooks.sameness import content_hash
from webhooks.waiting import kept_waiting
from workflows import expressions
from workflows.triggers.webhook import longest_wait

logger = logging.getLogger(__name__)

_clock = SystemClock()


def receive(incoming: Incoming, clock: Clock = _clock) -> Answer:
    """The answer to one request; a 2xx means that what it says is on disk."""
    if handshake.is_asked(incoming):
        return handshake.CONSENT
    arrival = Arrival(incoming, clock.now())
    return with_rate(_decide(arrival), arrival.standing)


def _decide(arrival: Arrival) -> Answer:
    try:
        return _pass_gates(arrival)
    except TurnedAway as error:
        _record(arrival, error)
        return error.answer(arrival.header("accept"))
    except Answered as found:
        return found.answer
    except Filtered as error:
        keep(arrival.rejected(Reason.FILTERED, 200, error.detail))
        return filtered(error.by)
    except (
        OperationalError,
        InterfaceError,
        IntegrityError,
        PayloadStoreAway,
    ) as error:
        # IntegrityError: the trigger was deleted while its event came in.
        logger.warning("an event could not be stored: %s", error)
        return unavailable(str(error)).answer(arrival.header("accept"))


def _pass_gates(arrival: Arrival) -> Answer:
    pass_through(GATES, arrival)
    if arrival.mode == "batch":
        return batch.accept_all(arrival, _store, _became)
    try:
        pass_through(WANTED, arrival)
    except Filtered:
        first = _became(arrival)
        if first is None:
            raise
        _note(arrival, first)
        return accepted(first.run_id, duplicate=True)
    seconds = longest_wait(arrival.entry.config)
    if seconds:
        return kept_waiting(partial(_accept, arrival), seconds)
    outcome = _accept(arrival)
    return accepted(outcome.run_id, duplicate=outcome.duplicate)


def _accept(arrival: Arrival, awaited_as: UUID | None = None) -> Accepted:
    outcome = _store(arrival, awaited_as)
    _note(arrival, outcome)
    return outcome


def _store(arrival: Arrival, awaited_as: UUID | None = None) -> Accepted:
    arrival.gate = "idempotency"
    dedupe = _identity(arrival)
    return accept(
        _target(arrival),
        _event(arrival),
        dedupe,
        search_keys=_search_keys(arrival),
        awaited_as=awaited_as,
        decisions=arrival.decisions,
    )


def _became(arrival: Arrival) -> Accepted | None:
    """The run that an event became before of which the trigger now wants no more.

    Asked only then: for all others the key's constraint decides. An event without what
    identifies it is filtered, not refused: it need not be one of those that have it.
    """
    gate, decisions = arrival.gate, dict(arrival.decisions)
    arrival.gate = "idempotency"
    try:
        first = known(_identity(arrival))
    except TurnedAway:
        first = None
    if first is None:
        arrival.gate, arrival.decisions = gate, decisions
    else:
        arrival.decisions.pop("condition", None)
        arrival.seen.clear()
    return first


def _note(arrival: Arrival, outcome: Accepted) -> None:
    """Keep what did not become a run. Raises TurnedAway for a reused key."""
    if outcome.conflict:
        raise key_reused(outcome.run_id)
    if outcome.duplicate:
        keep(arrival.rejected(Reason.DUPLICATE, 200, first_run_id=outcome.run_id))


def _record(arrival: Arrival, error: TurnedAway) -> None:
    if error.reason is None:
        return
    row = arrival.rejected(error.reason, error.status, error.detail, error.first_run_id)
    if error.counted:
        tally.add(row, arrival.now)
    else:
        keep(row)


def _identity(arrival: Arrival) -> Dedupe | None:
    rule = arrival.entry.config.get("idempotency", {})
    try:
        dedupe = dedupe_of(
            arrival.entry.trigger_id,
            rule,
            arrival.body,
            delivery_id=_delivery_id(arrival),
            body_varies=arrival.verified.body_varies,
            within=arrival.cloud_id if arrival.is_member else "",
            headers=arrival.headers,
            content_hash=lambda: content_hash(arrival),
            scope=lambda source: scope_for(arrival, source),
        )
    except expressions.ExpressionError as error:
        raise TurnedAway(
            Reason.MALFORMED,
            400,
            Code.MALFORMED,
            f"The event does not hold what identifies it: {error}.",
            errors=[("idempotency", str(error))],
        ) from None
    arrival.decisions |= known_by(rule, dedupe, arrival.headers)
    return dedupe


def _delivery_id(arrival: Arrival) -> str:
    """The provider's id, or a CloudEvent's: `source` and `id` together are unique.

    Those in a body come first, because they are signed with it and each event of a
    batch has its own; those in headers last, because headers are not signed.
    """
    own = arrival.cloud_id
    if arrival.mode == "structured":
        return own or arrival.verified.event_id
    return arrival.verified.event_id or own


def _target(arrival: Arrival) -> Target:
    entry = arrival.entry
    if entry.version_id is None:
        raise LookupError("The gate `active` lets no unpublished workflow pass.")
    return Target(
        workflow_id=entry.workflow_id,
        version_id=entry.version_id,
        run_timeout=entry.run_timeout,
        trigger_id=entry.trigger_id,
        start=entry.start,
        priority=entry.priority,
        exclusive_key=_exclusive_key(arrival),
    )


def _exclusive_key(arrival: Arrival) -> str:
    source = arrival.entry.exclusive
    if not source:
        return ""
    try:
        return key_of(source, scope_for(arrival, source))
    except expressions.ExpressionError as error:
        arrival.gate = "exclusive"
        raise TurnedAway(
            Reason.MALFORMED,
            400,
            Code.MALFORMED,
            f"The event's exclusive key cannot be told: {error}.",
            errors=[("exclusive", str(error))],
        ) from None


def _event(arrival: Arrival) -> Event:
    return Event(
        body=arrival.body,
        content_type=arrival.content_type,
        headers=arrival.safe_headers,
        query=arrival.query,
        event_id=arrival.event_id,
        source_ip=arrival.source_ip,
        traceparent=traceparent(arrival.header("traceparent")),
    )


def _search_keys(arrival: Arrival) -> dict[str, str]:
    """The workflow's search keys that this event has, as texts."""
    return read_keys(arrival.entry.search_keys, partial(scope_for, arrival))
