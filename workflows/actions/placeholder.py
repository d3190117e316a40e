"""Step kind `placeholder`: stands where a step is still to be made."""

from __future__ import annotations

from typing import Any, ClassVar

from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, ErrorInfo, Fail, LogLine, Outcome

PASS, FAIL = "pass", "fail"
LONGEST = 20_000


@register
class Placeholder(Action):
    """Does nothing. A run that reaches it fails and says why, or with `pass` goes on.

    Its port `attached` is never taken: by it hang steps that only belong to this one.
    """

    kind = "placeholder"
    label = "Placeholder"
    description = "A disabled step: it stands for one that is still to be made."
    ports = ("success", "failure", "attached")
    # A credential in the settings of another system becomes a secret, unseen.
    secret_fields = ("parameters",)
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["reason"],
        "properties": {
            "reason": {
                "title": "Reason",
                "description": "Why there is nothing here; what a run that fails says",
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST,
            },
            "was": {
                "title": "What it was",
                "description": "Its type in the system that it was imported from",
                "type": "string",
                "maxLength": 1_000,
            },
            "parameters": {
                "title": "Its settings there",
                "description": "As text, for whoever makes the step",
                "type": "string",
                "maxLength": LONGEST,
            },
            "reached": {
                "title": "A run that reaches it",
                "enum": [FAIL, PASS],
                "default": FAIL,
            },
        },
    }

    def execute(self, context: Context) -> Outcome:
        config = context.config
        reason = context.redactor.text(str(config.get("reason", "")))
        if config.get("reached", FAIL) == PASS:
            line = f'the placeholder "{context.node_id}" was passed: {reason}'
            return Done(output={}, logs=(LogLine("warning", line),))
        if not config.get("was"):
            return Fail(ErrorInfo("Stopped", reason))
        message = f"there is no step here yet: {reason}"
        return Fail(ErrorInfo("NotConverted", message))
