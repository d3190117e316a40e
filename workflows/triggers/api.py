"""A program starts the workflow, through the API."""

from __future__ import annotations

from workflows.triggers.base import TriggerKind, register


@register
class Api(TriggerKind):
    kind = "api"
    label = "API"
    description = "A program starts the workflow with an API key."
