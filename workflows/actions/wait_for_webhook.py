"""Step kind `wait_for_webhook`: waits until somebody calls the address of the step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from workflows.actions import waiting
from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import ErrorInfo, Fail, Outcome, WaitForSignal


@register
class WaitForWebhook(Action):
    """Its output is what came: `{"payload", "headers", "query", "received_at"}`.

    The address is `{{ run.urls.STEP }}`, for steps before it to hand out. Takes the
    port `received`, or `timeout` when nothing came in time.
    """

    kind = "wait_for_webhook"
    label = "Wait for a webhook"
    description = "Waits until somebody calls the address of this step, once."
    ports = ("success", "failure", "received", "timeout")
    side_ports = ("timeout",)
    answered_by = "webhook"
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"timeout": waiting.TIMEOUT},
    }

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        if message := waiting.problem(config):
            yield "timeout", message

    def longest_wait(self, config: Mapping[str, Any]) -> timedelta | None:
        return waiting.longest(config)

    def execute(self, context: Context) -> Outcome:
        try:
            until = waiting.until(context.config, context.clock.now())
        except ValueError as error:
            return Fail(ErrorInfo("BadConfig", str(error)))
        return WaitForSignal(until, "webhook")
