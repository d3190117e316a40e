"""Step kind `log`: a line in the run's log."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from automate.lib import bodies, jsonio
from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import (
    Done,
    ErrorInfo,
    Fail,
    LogLevel,
    LogLine,
    Outcome,
)

LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
LONGEST = 16 * 1024  # bytes of a message, and of its data as JSON


@register
class Log(Action):
    """Writes one line; its output is `{"message", "level"}`."""

    kind = "log"
    label = "Log"
    description = "Writes a line into the run's log."
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["message"],
        "properties": {
            "message": {
                "title": "Message",
                "description": "Data is written as JSON",
                "type": ["string", "number", "boolean", "object", "array"],
                "minLength": 1,
                "maxLength": 100_000,
            },
            "level": {"title": "Level", "enum": list(LEVELS), "default": "info"},
            "data": {"title": "Data", "description": "What is kept beside the message"},
        },
    }

    def execute(self, context: Context) -> Outcome:
        level = context.config.get("level", "info")
        if level not in LEVELS:
            message = f"level must be one of {', '.join(LEVELS)}"
            return Fail(ErrorInfo("BadConfig", message))
        message = _text(context.config["message"])
        line = LogLine(level, message, _data(context.config.get("data")))
        return Done({"message": message, "level": level}, logs=(line,))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else jsonio.dumps(value)
    return bodies.cut(jsonio.storable_text(text), LONGEST)[0]


def _data(value: Any) -> dict[str, Any]:
    """A mapping as it is, anything else as `{"data"}`; a note when it is too large."""
    if value is None:
        return {}
    size = len(jsonio.dumps(value).encode())
    if size > LONGEST:
        return {"truncated": f"{size} bytes, more than the {LONGEST} of a log line"}
    return value if isinstance(value, dict) else {"data": value}
