"""The gates of the edge: each lets an event pass or says why not.

A gate takes the Arrival and raises TurnedAway or Filtered; it may note on it what it
found out. Their order is the edge's contract: size while reading, then whose it is,
then who sent it, and only then anything that tells about the trigger.
"""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.conf import settings

from automate.lib import signing
from automate.lib.cloudevents import BadEvent
from automate.lib.encryption import is_readable
from automate.lib.errors import Code
from automate.lib.jsonio import BadJSON, storable_text
from automate.lib.places import left
from webhooks import schemes
from webhooks.answers import (
    Answer,
    Answered,
    Filtered,
    Reason,
    TurnedAway,
    unauthorized,
    unavailable,
)
from webhooks.arrival import Arrival
from webhooks.body import BadBody, BodyReader
from webhooks.contents import BadForm, UnknownFormat, check_body
from webhooks.limiting import spend
from webhooks.lookup import find
from webhooks.secret_use import note_use
from webhooks.seen import seen
from workflows import expressions
from workflows.models import Workflow
from workflows.triggers.schemes import options_of, scheme_of

logger = logging.getLogger(__name__)

DEFAULT_METHODS = ("POST",)
_NOBODYS_SECRET = b"an unknown address takes as long as a bad signature"


def size(arrival: Arrival) -> None:
    """The body is not larger than its trigger takes, and came whole."""
    default = settings.MAX_BODY
    try:
        reader = BodyReader(arrival.incoming.environ)
        body = reader.read(default)
        arrival.found = find(arrival.incoming.address)
        cap = arrival.found.max_body(default) if arrival.found else default
        if body is None and cap > default:
            with left():  # it may come slowly
                body = reader.read(cap)
    except BadBody as error:
        arrival.found = arrival.found or find(arrival.incoming.address)
        raise _bad_body(error) from None
    arrival.size = reader.length or reader.size
    if body is None or len(body) > cap:
        with left():
            reader.discard()
        raise _too_large(cap)
    arrival.body = body


def _bad_body(error: BadBody) -> TurnedAway:
    return TurnedAway(
        Reason.MALFORMED, error.status, Code.MALFORMED, error.message, proven=False
    )


def _too_large(cap: int) -> TurnedAway:
    return TurnedAway(
        Reason.TOO_LARGE,
        413,
        Code.BODY_TOO_LARGE,
        f"The body is larger than {cap} bytes.",
        proven=False,
    )


def encoding(arrival: Arrival) -> None:
    """The body is not compressed: what is signed and stored is what was sent."""
    given = arrival.header("content-encoding").strip().lower()
    if given in ("", "identity"):
        return
    raise TurnedAway(
        Reason.ENCODED,
        415,
        Code.UNSUPPORTED_ENCODING,
        "Send the body without Content-Encoding.",
        proven=False,
        headers={"Accept-Encoding": "identity"},
    )


def known(arrival: Arrival) -> None:
    """The address belongs to a webhook trigger."""
    if arrival.found is None:
        candidate = signing.github_signature(_NOBODYS_SECRET, arrival.body)
        signing.matches_any([candidate], "sha256=")
        raise unauthorized(Reason.UNKNOWN_KEY, "No webhook has this address.")


def signature(arrival: Arrival) -> None:
    """The sender has proved who it is, and not too long ago."""
    entry = arrival.entry
    try:
        data = scheme_of(entry.config)
        arrival.decisions["scheme"] = data.name
        options = options_of(entry.config)
        scheme = schemes.get(data.name)
    except KeyError:
        logger.error("trigger %s names an unknown scheme", entry.trigger_id)
        raise unavailable("The trigger's scheme is unknown.") from None
    if data.secret_required and not is_readable(entry.secret):
        logger.error("trigger %s: its secret is %s", entry.trigger_id, entry.secret)
        raise unavailable(f"The trigger's secret is {entry.secret}.")
    raw = schemes.RawRequest(
        arrival.headers, arrival.body, arrival.incoming.method, arrival.incoming.url
    )
    secrets = entry.secrets(arrival.now)
    try:
        if data.secret_required and not secrets:
            raise schemes.SignatureRejected("The trigger has no signing secret.")
        arrival.verified = scheme.verify(raw, options, secrets, arrival.now)
        note_use(entry, arrival.verified.secret, arrival.now)
        if arrival.verified.secret:  # not the first, which is the current one
            arrival.decisions["signed_with"] = "previous"
    except schemes.SignatureRejected as error:
        reason = Reason.EXPIRED if error.expired else Reason.BAD_SIGNATURE
        raise unauthorized(reason, error.reason) from None


def challenge(arrival: Arrival) -> None:
    """A provider that asks whether the address is ours is told so.

    Only who has proved who it is, and whether or not the workflow is active: providers
    ask when the address is typed there, which may be before publishing.
    """
    if arrival.verified.challenge:
        body = arrival.verified.challenge.encode("utf-8", "replace")
        raise Answered(Answer(200, body, "text/plain; charset=utf-8"))


def method(arrival: Arrival) -> None:
    """The trigger takes this method."""
    allowed = arrival.entry.config.get("methods") or DEFAULT_METHODS
    if arrival.incoming.method in allowed:
        return
    names = ", ".join(allowed)
    raise TurnedAway(
        Reason.METHOD,
        405,
        Code.METHOD_NOT_ALLOWED,
        f"This webhook takes {names}.",
        detail=f"{arrival.incoming.method[:20]}, not {names}.",
        headers={"Allow": names},
    )


def active(arrival: Arrival) -> None:
    """The workflow and its trigger are switched on."""
    entry = arrival.entry
    status = Workflow.Status
    if entry.workflow_status == status.ARCHIVED:
        raise TurnedAway(
            Reason.ARCHIVED, 410, Code.ARCHIVED, "This workflow has been archived."
        )
    if not entry.is_active:
        raise _inactive("This webhook is switched off.")
    if entry.workflow_status != status.ACTIVE or entry.version_id is None:
        raise _inactive("This workflow is not active.")


def _inactive(message: str) -> TurnedAway:
    return TurnedAway(Reason.INACTIVE, 409, Code.INACTIVE, message)


def rate(arrival: Arrival) -> None:
    """The trigger's rate limit is not used up; each event that gets here counts,
    also one that is known already or filtered out. Those of a batch are counted when
    it has been taken apart."""
    if arrival.entry.config.get("rate_limit") and arrival.mode != "batch":
        spend(arrival, 1)


def required_headers(arrival: Arrival) -> None:
    """The headers that the trigger asks for are there."""
    names = arrival.entry.config.get("required_headers", ())
    missing = [name for name in names if not arrival.header(name)]
    if missing:
        raise TurnedAway(
            Reason.MALFORMED,
            400,
            Code.MALFORMED,
            f"A header is missing: {', '.join(missing)}.",
            errors=[(name, "is required") for name in missing],
        )


def well_formed(arrival: Arrival) -> None:
    """The body is what its type says, and the query can be read."""
    try:
        check_body(arrival)
    except BadJSON as error:
        raise not_json(error) from None
    except BadForm as error:
        raise _malformed(
            f"The form cannot be read: {error}.", ("body", str(error))
        ) from None
    except BadEvent as error:
        raise bad_event(error) from None
    except UnknownFormat as error:
        raise TurnedAway(
            Reason.MALFORMED, 415, Code.UNSUPPORTED_MEDIA_TYPE, str(error)
        ) from None
    try:
        _ = arrival.query
    except ValueError:
        raise _malformed("The query has too many fields.") from None


def not_json(error: BadJSON) -> TurnedAway:
    """What says that it is JSON is none."""
    return _malformed(
        f"The body is not valid JSON: {error.message}.", ("body", error.message)
    )


def bad_event(error: BadEvent) -> TurnedAway:
    """A CloudEvent without what the specification asks for."""
    return _malformed(
        f"The CloudEvent is not valid: {error}.", (error.place, error.message)
    )


def _malformed(message: str, *errors: tuple[str, str]) -> TurnedAway:
    return TurnedAway(Reason.MALFORMED, 400, Code.MALFORMED, message, errors=errors)


def event(arrival: Arrival) -> None:
    """The event is one of those that the trigger lists."""
    patterns = arrival.entry.config.get("events")
    if not patterns:
        return
    name = event_name(arrival)
    arrival.seen["event"] = storable_text(name[:100])
    for pattern in patterns:
        if fnmatch.fnmatchcase(name, pattern):
            arrival.decisions["pattern"] = pattern
            return
    told = f'"{name[:100]}"' if name else "without a name"
    raise Filtered("event", f"The event {told} is none of {', '.join(patterns)}.")


def event_name(arrival: Arrival) -> str:
    """A CloudEvent's type, else the provider's header, else the payload's `type`."""
    if arrival.event:
        return str(arrival.event["type"])
    if arrival.verified.event_type:
        return arrival.verified.event_type
    payload = arrival.payload
    name = payload.get("type") if isinstance(payload, dict) else None
    return name if isinstance(name, str) else ""


def condition(arrival: Arrival) -> None:
    """The trigger's condition holds; one that cannot be evaluated does not."""
    source = arrival.entry.config.get("condition")
    if source is None:
        return
    arrival.decisions["condition"] = source
    scope: Mapping[str, Any] = {}
    try:
        scope = scope_for(arrival, source)
        if expressions.truth(source, scope):
            return
        detail = "The condition does not hold."
    except expressions.ExpressionError as error:
        detail = f"The condition failed: {error}."
    arrival.seen |= seen(source, scope)
    raise Filtered("condition", detail)


def scope_for(arrival: Arrival, source: str) -> Mapping[str, Any]:
    """What this expression may refer to; variables are read only if it names them."""
    references = expressions.parse_condition(source).references
    return arrival.scope(variables=any(path[0] == "variables" for path in references))


GATES: tuple[Callable[[Arrival], None], ...] = (
    size,
    encoding,
    known,
    signature,
    challenge,
    method,
    active,
    rate,
    required_headers,
    well_formed,
)
# Those that each event of a batch passes by itself.
WANTED: tuple[Callable[[Arrival], None], ...] = (event, condition)


def pass_through(gates: Iterable[Callable[[Arrival], None]], arrival: Arrival) -> None:
    """Let the event pass these gates; raises TurnedAway or Filtered."""
    for gate in gates:
        arrival.gate = gate.__name__
        gate(arrival)
