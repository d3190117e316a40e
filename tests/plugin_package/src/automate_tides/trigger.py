"""Trigger kind `high_water`: a run at each high water after a known one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from workflows.triggers.base import TriggerKind, register

from . import PERIOD


@register
class HighWater(TriggerKind):
    """It goes by the clock: the drains fire it, each high water once."""

    kind = "high_water"
    label = "High water"
    description = "The tide starts the workflow."
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["first"],
        "properties": {
            "first": {
                "title": "A high water",
                "description": "From a table of tides: 2026-01-01T03:10:00+01:00",
                "type": "string",
            },
        },
    }

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        try:
            moment = datetime.fromisoformat(config["first"])
        except ValueError:
            yield "first", "must be a date and time in ISO 8601"
            return
        if moment.tzinfo is None:
            yield "first", "must say its offset from UTC: 2026-01-01T03:10:00+01:00"

    def next_fire(self, config: Mapping[str, Any], after: datetime) -> datetime:
        first = datetime.fromisoformat(config["first"]).astimezone(UTC)
        return first + ((after - first) // PERIOD + 1) * PERIOD

    def payload(self, config: Mapping[str, Any], moment: datetime) -> Any:
        first = datetime.fromisoformat(config["first"]).astimezone(UTC)
        number = round((moment - first) / PERIOD)
        return {"high_water": moment.isoformat(), "number": number}
