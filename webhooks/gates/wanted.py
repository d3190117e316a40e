"""Gates that each event of a batch passes by itself: whether the trigger wants it."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from automate.lib.jsonio import storable_text
from webhooks.answers import Filtered
from webhooks.arrival import Arrival
from webhooks.seen import seen
from workflows import expressions


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
    arrival.seen |= seen(source, scope, arrival.redactor())
    raise Filtered("condition", detail)


def scope_for(arrival: Arrival, source: str) -> Mapping[str, Any]:
    """What this expression may refer to; variables are read only if it names them."""
    references = expressions.parse_condition(source).references
    return arrival.scope(variables=any(path[0] == "variables" for path in references))
