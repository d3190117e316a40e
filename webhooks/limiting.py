"""A trigger's rate limit: events come in, as many as it allows."""

from __future__ import annotations

import logging

from automate.accounts import limits
from automate.lib.errors import Code
from automate.lib.rates import parse_rate
from webhooks.answers import Reason, TurnedAway, unavailable
from webhooks.arrival import Arrival

logger = logging.getLogger(__name__)


def spend(arrival: Arrival, count: int) -> None:
    """Use up so many of what the trigger allows, all or none of them.

    Nothing without a limit. Raises TurnedAway.
    """
    entry = arrival.entry
    text = entry.config.get("rate_limit")
    if not text:
        return
    try:
        rate = parse_rate(text)
    except ValueError as error:
        logger.error("trigger %s: %s", entry.trigger_id, error)
        raise unavailable("The trigger's rate limit cannot be read.") from None
    if count > rate.count:
        raise TurnedAway(
            Reason.TOO_LARGE,
            413,
            Code.BODY_TOO_LARGE,
            f"The batch holds {count} events, and this webhook takes {text}.",
        )
    standing = limits.take(f"trigger:{entry.trigger_id}", rate, count)
    arrival.standing = standing
    arrival.decisions["rate"] = f"{text}, {standing.remaining} left"
    if not standing.allowed:
        what = "the event" if count == 1 else f"the {count} events"
        raise TurnedAway(
            Reason.RATE_LIMITED,
            429,
            Code.RATE_LIMITED,
            f"This webhook takes {text}; send {what} again in {standing.wait} s.",
            detail=f"More than {text}.",
            counted=True,
        )
