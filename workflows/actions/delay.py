"""Step kind `delay`: waits for a time, holding no worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from automate.lib.durations import parse_duration
from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome, Wait

LONGEST = timedelta(days=366)


@register
class Delay(Action):
    """Waits for a duration, or until a moment; its output is `{"waited_until"}`."""

    kind = "delay"
    label = "Wait"
    description = "Waits for some time or until a moment, then goes on."
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "duration": {
                "title": "Duration",
                "description": 'Seconds (2, 0.5) or text ("500ms", "5m", "1h30m")',
                "type": ["number", "string"],
                "minimum": 0,
                "minLength": 1,
                "maxLength": 100,
            },
            "until": {
                "title": "Until",
                "description": "A date and time in ISO 8601; UTC without an offset",
                "type": "string",
                "minLength": 1,
                "maxLength": 10_000,
            },
        },
        "oneOf": [{"required": ["duration"]}, {"required": ["until"]}],
        "x-message": 'needs either "duration" or "until"',
    }

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        for key in ("duration", "until"):
            value = config.get(key)
            if value is None or (isinstance(value, str) and "{{" in value):
                continue
            try:
                # Only the form matters here, so that any moment will do as now.
                wake_up({key: value}, datetime.min.replace(tzinfo=UTC))
            except ValueError as error:
                yield key, str(error)

    def longest_wait(self, config: Mapping[str, Any]) -> timedelta | None:
        length = config.get("duration")
        if length is None or (isinstance(length, str) and "{{" in length):
            return None
        return parse_duration(length)

    def execute(self, context: Context) -> Outcome:
        now = context.clock.now()
        try:
            until = wake_up(context.config, now)
            if until - now > LONGEST:
                raise ValueError(f"a delay is at most {LONGEST.days} days long")
        except ValueError as error:
            message = context.redactor.text(str(error))
            return Fail(ErrorInfo("BadConfig", message))
        output = {"waited_until": until.isoformat().replace("+00:00", "Z")}
        return Wait(until, output) if until > now else Done(output)


def wake_up(config: Mapping[str, Any], now: datetime) -> datetime:
    """When a delay that begins `now` ends, aware, in UTC; raises ValueError."""
    if "duration" in config:
        length = parse_duration(config["duration"])
        if length > LONGEST:
            raise ValueError(f"a delay is at most {LONGEST.days} days long")
        return now + length
    value = config.get("until")
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        shown = value[:60] if isinstance(value, str) else type(value).__name__
        raise ValueError(
            f'{shown!r} is not a date and time: write it as "2030-01-31T12:00:00Z"'
        ) from None
