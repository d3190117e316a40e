"""What arrived, and what it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from runs.engine.exclusive_key import exclusive_key
from runs.payloads import Kept
from runs.services.errors import NotRunnable
from workflows.expressions import ExpressionError
from workflows.models import Trigger, Workflow


@dataclass(frozen=True, slots=True)
class Event:
    """What arrived: the exact bytes, the safe headers, the query.

    `kept` are the bytes, put into the payload store already (`put_aside`).
    """

    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = ""
    source_ip: str | None = None
    traceparent: str = ""
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What an event starts: a published version, from these steps.

    `run_timeout` in seconds; an empty `start` means every step without a connection
    into it. `exclusive_key` is what `runs.engine.exclusive_key` made of the event.
    """

    workflow_id: UUID
    version_id: UUID
    run_timeout: int = 86_400
    trigger_id: UUID | None = None
    start: Sequence[str] = ()
    priority: int = Workflow.Priority.NORMAL
    exclusive_key: str = ""


def target_of(
    workflow: Workflow,
    event: Event,
    *,
    trigger: Trigger | None = None,
    variables: Mapping[str, Any] | None = None,
    priority: int | None = None,
) -> Target:
    """The published version of a workflow as the target of this event.

    `priority`: instead of the workflow's own (Job.PRIORITIES). Raises NotRunnable when
    nothing is published, or when the workflow's `exclusive` fails for this event.
    """
    if workflow.published_id is None:
        raise NotRunnable(f"{workflow} has no published version; publish it first.")
    try:
        key = exclusive_key(workflow, event, variables=variables)
    except ExpressionError as error:
        raise NotRunnable(f"{workflow}: its `exclusive` fails: {error}.") from error
    return Target(
        workflow_id=workflow.pk,
        version_id=workflow.published_id,
        run_timeout=workflow.run_timeout,
        trigger_id=trigger.pk if trigger else None,
        start=trigger.start if trigger else (),
        priority=workflow.priority if priority is None else priority,
        exclusive_key=key,
    )


def own_trigger(workflow: Workflow, kind: str) -> Trigger | None:
    """The first active trigger of this kind, for starts that name none (Run now)."""
    found = Trigger.objects.filter(workflow=workflow, kind=kind, is_active=True)
    return found.order_by("id").first()
