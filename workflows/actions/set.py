"""Step kind `set`: builds data out of what came before."""

from __future__ import annotations

from typing import Any, ClassVar

from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome


@register
class Set(Action):
    """The rendered `values` become the step's output."""

    kind = "set"
    label = "Set values"
    description = "Builds data from earlier steps; later steps read it by name."
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["values"],
        "properties": {
            "values": {
                "title": "Values",
                "description": "Names and values; each value may be a template",
                "type": "object",
            }
        },
    }

    def execute(self, context: Context) -> Outcome:
        values = context.config.get("values")
        if not isinstance(values, dict):
            message = "values must be an object once its template is evaluated"
            return Fail(ErrorInfo("BadConfig", message))
        return Done(output=values)
