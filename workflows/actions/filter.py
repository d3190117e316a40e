"""Step kind `filter`: what comes after it happens only when a condition holds."""

from __future__ import annotations

from typing import Any, ClassVar

from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome
from workflows.actions.schemas import CONDITION

STOPPED = "stopped"


@register
class Filter(Action):
    """Passes when the condition's truth equals `continue_on`; output `{"passed"}`.

    When it does not pass, none of its connections is taken.
    """

    kind = "filter"
    label = "Filter"
    description = "Goes on only when a condition holds."
    side_ports = (STOPPED,)
    condition_fields = ("condition",)
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["condition"],
        "properties": {
            "condition": CONDITION,
            "continue_on": {
                "title": "Go on when it is",
                "type": "boolean",
                "default": True,
            },
        },
    }

    def execute(self, context: Context) -> Outcome:
        wanted = context.config.get("continue_on", True)
        if not isinstance(wanted, bool):
            message = (
                "continue_on must be true or false once its template is evaluated; "
                "the filter `bool` makes it so"
            )
            return Fail(ErrorInfo("BadConfig", message))
        passed = context.config["condition"] is wanted
        return Done({"passed": passed}, port="" if passed else STOPPED)
