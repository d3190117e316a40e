"""Step kind `approval`: waits until somebody approves or rejects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from automate.lib import jsonio
from workflows.actions import waiting
from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import ErrorInfo, Fail, Outcome, WaitForSignal

MOST_APPROVERS = 100
LONGEST_MESSAGE = 10_000
LARGEST_DETAILS = 64 * 1024  # bytes of JSON: people are to read them


@register
class Approval(Action):
    """Its output is the decision: `{"decision", "by", "comment", "decided_at"}`.

    Operators decide in the admin, and whoever has the address `{{ run.urls.STEP }}`.
    Takes the port `approved`, `rejected`, or `timeout` when nobody decided in time.
    """

    kind = "approval"
    label = "Approval"
    description = "Waits until a person approves or rejects."
    ports = ("success", "failure", "approved", "rejected", "timeout")
    side_ports = ("rejected", "timeout")
    answered_by = "approval"
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["message"],
        "properties": {
            "message": {
                "title": "Message",
                "description": "What is to be decided, for those who decide",
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST_MESSAGE,
            },
            "details": {
                "title": "Details",
                "description": "Data shown below the message",
            },
            "timeout": waiting.TIMEOUT,
            "approvers": {
                "title": "Approvers",
                "description": "E-mail addresses of the operators who may decide; "
                "without it all who may answer",
                "type": "array",
                "items": {"type": "string", "minLength": 3, "maxLength": 254},
                "minItems": 1,
                "maxItems": MOST_APPROVERS,
            },
        },
    }

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        if message := waiting.problem(config):
            yield "timeout", message
        approvers = config.get("approvers")
        for place, item in enumerate(approvers if isinstance(approvers, list) else ()):
            if isinstance(item, str) and "{{" not in item and "@" not in item:
                yield f"approvers[{place}]", "must be an e-mail address"

    def longest_wait(self, config: Mapping[str, Any]) -> timedelta | None:
        return waiting.longest(config)

    def execute(self, context: Context) -> Outcome:
        config = context.config
        try:
            until = waiting.until(config, context.clock.now())
            details = {
                "message": _message(config.get("message")),
                "details": _details(config.get("details")),
                "approvers": _approvers(config.get("approvers")),
            }
        except ValueError as error:
            return Fail(ErrorInfo("BadConfig", str(error)))
        return WaitForSignal(until, "approval", context.redactor.data(details))


def _message(value: Any) -> str:
    text = value if isinstance(value, str) else jsonio.dumps(value)
    if not text.strip():
        raise ValueError("message is empty: say what is to be decided")
    return text[:LONGEST_MESSAGE]


def _details(value: Any) -> Any:
    size = len(jsonio.dumps(jsonio.storable(value)).encode())
    if size > LARGEST_DETAILS:
        raise ValueError(f"details have {size} bytes; {LARGEST_DETAILS} is the most")
    return value


def _approvers(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not value:
        raise ValueError("approvers must be a list of e-mail addresses")
    for item in value:
        if not isinstance(item, str) or "@" not in item:
            raise ValueError("an approver is an e-mail address")
    return [item.strip().lower() for item in value[:MOST_APPROVERS]]
