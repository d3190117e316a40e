"""A person starts the workflow, in the admin."""

from __future__ import annotations

from workflows.triggers.base import TriggerKind, register


@register
class Manual(TriggerKind):
    kind = "manual"
    label = "By hand"
    description = "A person starts the workflow in the admin."
