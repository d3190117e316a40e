"""Gates about the trigger: its method, its switch, its rate limit, its headers."""

from __future__ import annotations

from automate.lib.errors import Code
from webhooks.answers import Reason, TurnedAway
from webhooks.arrival import Arrival
from webhooks.limiting import spend
from workflows.models import Workflow

DEFAULT_METHODS = ("POST",)


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
