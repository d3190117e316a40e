"""Whether a body is what its type says; what it says of a CloudEvent is noted."""

from __future__ import annotations

from automate.lib import bodies, cloudevents, jsoncheck
from automate.lib.multipart import BadMultipart, is_multipart
from runs.engine.payload import FORM, MAX_FIELDS
from webhooks.arrival import Arrival
from webhooks.weight import LARGE, bearable

LONGEST_TYPE = 200  # characters of a Content-Type that a run keeps


class BadForm(ValueError):
    """A form that cannot be read, and why."""


class UnknownFormat(ValueError):
    """CloudEvents in a format that is not JSON."""


def check_body(arrival: Arrival) -> None:
    """Raises BadJSON, BadForm, BadEvent and UnknownFormat.

    The members of a batch are checked one by one, where they are taken apart. Of a
    large JSON body no value is built, unless something of the trigger's asks for it.
    """
    mode = arrival.mode
    if mode == "unknown":
        raise UnknownFormat("CloudEvents are read in the JSON format alone.")
    if mode == "batch":
        return
    if mode == "structured":
        arrival.event = cloudevents.attributes_of(bearable(arrival.body))
    elif arrival.is_json and len(arrival.body) > LARGE:
        jsoncheck.check(arrival.body)
    elif arrival.is_json:
        _ = arrival.payload
    elif arrival.body:
        _check_form(arrival)
    if mode == "binary":
        arrival.event = cloudevents.attributes_in(arrival.headers, arrival.content_type)


def _check_form(arrival: Arrival) -> None:
    kind = arrival.content_type
    if bodies.media_type(kind) == FORM:
        if arrival.body.count(b"&") >= MAX_FIELDS:
            raise BadForm(f"it has more than {MAX_FIELDS} fields")
    elif is_multipart(kind):
        if len(kind) > LONGEST_TYPE:
            raise BadForm(f"its Content-Type has more than {LONGEST_TYPE} characters")
        try:
            _ = arrival.payload
        except BadMultipart as error:
            raise BadForm(str(error)) from None
