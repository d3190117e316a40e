"""Runs that Automate starts by itself: by the clock, at the end of another run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from automate.lib import jsonio
from runs.services.accept import Accepted, accept
from runs.services.errors import NotRunnable
from runs.services.events import Event, target_of
from runs.services.search import search_keys
from workflows.models import Trigger, Workflow


def may_start(trigger: Trigger) -> bool:
    """Whether the trigger takes events now; its workflow is read as it is loaded."""
    workflow = trigger.workflow
    active = workflow.status == Workflow.Status.ACTIVE
    return trigger.is_active and active and workflow.published_id is not None


def start_run(
    trigger: Trigger,
    payload: Any,
    *,
    event_id: str = "",
    caused_by: UUID | None = None,
) -> Accepted:
    """Start the published version of the trigger's workflow, as an event would.

    `payload` is data for JSON. `caused_by` is the run whose end this one follows.
    Raises NotRunnable when the workflow takes no events.
    """
    if not may_start(trigger):
        raise NotRunnable(f"{trigger} takes no events.")
    event = Event(
        body=jsonio.dumps(payload).encode(),
        content_type="application/json",
        event_id=event_id,
    )
    target = target_of(trigger.workflow, event, trigger=trigger)
    keys = search_keys(trigger.workflow, event)
    return accept(target, event, search_keys=keys, caused_by=caused_by)
