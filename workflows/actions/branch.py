"""Step kind `branch`: one way when a condition holds, another when it does not."""

from __future__ import annotations

from typing import Any, ClassVar

from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, Outcome
from workflows.actions.schemas import CONDITION


@register
class Branch(Action):
    """Takes the port `true` or `false`; its output is `{"result"}`."""

    kind = "branch"
    label = "Branch"
    description = "Goes one way when a condition holds, and another when it does not."
    ports = ("success", "failure", "true", "false")
    condition_fields = ("condition",)
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["condition"],
        "properties": {"condition": CONDITION},
    }

    def execute(self, context: Context) -> Outcome:
        result = context.config["condition"]
        return Done({"result": result}, port="true" if result else "false")
