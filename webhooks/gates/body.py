"""Gates about the body: its size, its encoding, and that it is what its type says."""

from __future__ import annotations

from django.conf import settings

from automate.lib.cloudevents import BadEvent
from automate.lib.errors import Code
from automate.lib.jsonio import BadJSON
from automate.lib.places import left
from webhooks import lookup
from webhooks.answers import Reason, TurnedAway
from webhooks.arrival import Arrival
from webhooks.body import BadBody, BodyReader
from webhooks.contents import BadForm, UnknownFormat, check_body


def size(arrival: Arrival) -> None:
    """The body came whole, and is not larger than anybody's may be.

    What its trigger takes at most is asked when the sender is known (`fits`): until
    then each address gives the same answer to the same body, so that none tells a
    stranger whether it exists.
    """
    usual = settings.MAX_BODY
    try:
        reader = BodyReader(arrival.incoming.environ)
        body = reader.read(usual)
        arrival.found = lookup.find(arrival.incoming.address)
        cap = arrival.found.max_body(usual) if arrival.found else usual
        if body is None and cap > usual:
            with left():  # it may come slowly
                body = reader.read(cap)
    except BadBody as error:
        arrival.found = arrival.found or lookup.find(arrival.incoming.address)
        raise _bad_body(error) from None
    arrival.size = reader.length or reader.size
    if body is None:
        with left():
            reader.discard()
        raise too_large_for_strangers()
    arrival.body = body


def _bad_body(error: BadBody) -> TurnedAway:
    return TurnedAway(
        Reason.MALFORMED, error.status, Code.MALFORMED, error.message, proven=False
    )


def too_large_for_strangers(
    reason: Reason = Reason.TOO_LARGE, detail: str = ""
) -> TurnedAway:
    """Larger than usual; only its operators are told by `reason` what else is wrong."""
    return TurnedAway(
        reason,
        413,
        Code.BODY_TOO_LARGE,
        f"The body is larger than {settings.MAX_BODY} bytes. A webhook may take more, "
        "from a sender who proves who it is.",
        detail=detail,
        proven=False,
    )


def fits(arrival: Arrival) -> None:
    """The body is not larger than the trigger takes."""
    cap = arrival.entry.max_body(settings.MAX_BODY)
    if len(arrival.body) <= cap:
        return
    raise TurnedAway(
        Reason.TOO_LARGE,
        413,
        Code.BODY_TOO_LARGE,
        f"The body is larger than {cap} bytes.",
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
    return _malformed(f"The CloudEvent is not valid: {error}.", *error.problems)


def _malformed(message: str, *errors: tuple[str, str]) -> TurnedAway:
    return TurnedAway(Reason.MALFORMED, 400, Code.MALFORMED, message, errors=errors)
