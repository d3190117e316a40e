"""The exclusive key of a run: what its workflow's `exclusive` makes of the event."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from runs.engine.payload import parse_body, parse_event
from workflows import expressions
from workflows.models import Workflow, WorkflowVersion


class Arrived(Protocol):
    """An event, or the run that it became."""

    @property
    def body(self) -> bytes: ...
    @property
    def content_type(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def query(self) -> Mapping[str, Any]: ...
    @property
    def event_id(self) -> str: ...


def key_of(source: str, scope: Mapping[str, Any]) -> str:
    """SHA-256 of the value, in hex; empty when the event has no such value.

    A value that is missing, null or an empty text is none. Raises
    workflows.expressions.ExpressionError when the expression fails otherwise.
    """
    try:
        value = expressions.render(source, scope)
    except expressions.MissingError:
        return ""
    if value is None or value == "":
        return ""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def exclusive_key(
    workflow: Workflow,
    event: Arrived,
    *,
    version_id: UUID | None = None,
    variables: Mapping[str, Any] | None = None,
) -> str:
    """The key of an event that starts this workflow; empty when it has none.

    `variables` are those that the run itself is given; they go before those of the
    version, which is the published one unless said. Raises ExpressionError.
    """
    source = workflow.exclusive
    if not source:
        return ""
    scope = event_scope(
        workflow, event, source, version_id=version_id, variables=variables
    )
    return key_of(source, scope)


def event_scope(
    workflow: Workflow,
    event: Arrived,
    source: str,
    *,
    version_id: UUID | None = None,
    variables: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What `source` may refer to: `trigger`, and `variables` where it names them.

    Raises workflows.expressions.TemplateError.
    """
    trigger = {
        "payload": parse_body(event.body, event.content_type),
        "headers": event.headers,
        "query": event.query,
        "id": event.event_id,
        "event": parse_event(event.body, event.content_type, event.headers),
    }
    scope: dict[str, Any] = {"trigger": trigger, "variables": dict(variables or {})}
    names = expressions.parse(source).references
    version = version_id or workflow.published_id
    if version and any(path[0] == "variables" for path in names):
        scope["variables"] = {**variables_of(version), **scope["variables"]}
    return scope


def variables_of(version_id: UUID) -> Mapping[str, Any]:
    """The variables of a published version."""
    version = WorkflowVersion.objects.filter(pk=version_id)
    found = version.values_list("definition__variables", flat=True).first()
    return found if isinstance(found, dict) else {}
