"""The clock starts the workflow: cron in a time zone.

The stored config:

    cron        "m h dom mon dow", as `workflows.triggers.cron` reads it
    timezone    a name of the IANA database, "Europe/Berlin"; absent: UTC
    catch_up    of the moments that passed while nothing ran: "skip" all, fire the
                latest "one" (the default), or "all" in order, 100 at most
    payload     an object that each run's payload begins with

Its runs get `payload` with `scheduled_for` and `timezone`; `fired_at` is added when it
fires.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from workflows.triggers import cron, written
from workflows.triggers.base import CatchUp, TriggerKind, register

CATCH_UP: tuple[CatchUp, ...] = ("skip", "one", "all")
GIVEN = ("scheduled_for", "fired_at", "timezone")
UTC_NAME = "UTC"


@register
class Schedule(TriggerKind):
    """One run at each local minute that the expression names."""

    kind = "schedule"
    label = "Schedule"
    description = "The clock starts the workflow."
    config_schema = {  # noqa: RUF012 - the contract's own type
        "type": "object",
        "additionalProperties": False,
        "required": ["cron"],
        "properties": {
            "cron": {
                "title": "Cron",
                "description": "Minute, hour, day, month, weekday: 30 7 * * MON-FRI",
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
            },
            "timezone": {
                "title": "Time zone",
                "description": "Europe/Berlin; UTC when it is left out",
                "type": "string",
                "maxLength": 60,
                "default": UTC_NAME,
            },
            "catch_up": {
                "title": "Catch up",
                "description": "What to do about moments that passed while nothing ran",
                "enum": list(CATCH_UP),
                "default": "one",
            },
            "payload": {
                "title": "Payload",
                "description": "What each run's payload begins with",
                "type": "object",
            },
        },
    }

    def normalise(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Single spaces between the fields."""
        result = dict(config)
        if isinstance(result.get("cron"), str):
            result["cron"] = " ".join(result["cron"].split())
        return result

    def written_schema(self) -> Mapping[str, Any]:
        return written.schedule(self.config_schema)

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        try:
            cron.parse(config["cron"])
        except cron.CronError as error:
            yield "cron", str(error)
        name = config.get("timezone", UTC_NAME)
        if name not in time_zones():
            near = get_close_matches(name, sorted(time_zones()), n=1)
            hint = f'; is it "{near[0]}"?' if near else ', as "Europe/Berlin" is one'
            yield "timezone", f'"{name}" is no time zone{hint}'
        for key in GIVEN:
            if key in config.get("payload", {}):
                yield f"payload.{key}", "is set by each firing"

    def next_fire(self, config: Mapping[str, Any], after: datetime) -> datetime | None:
        """The first moment after `after`; None for an expression that has ended."""
        return cron.parse(config["cron"]).next_after(after, zone_of(config))

    def slot(self, config: Mapping[str, Any], moment: datetime) -> str:
        """The minute on the wall: "2026-10-25T02:30 Europe/Berlin"."""
        zone = zone_of(config)
        return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M} {zone.key}"

    def payload(self, config: Mapping[str, Any], moment: datetime) -> Any:
        """The config's payload, and which moment this is."""
        zone = zone_of(config)
        times = {
            "scheduled_for": moment.astimezone(zone).isoformat(),
            "timezone": zone.key,
        }
        return {**config.get("payload", {}), **times}

    def catch_up(self, config: Mapping[str, Any]) -> CatchUp:
        """As the config says."""
        chosen: CatchUp = config.get("catch_up", "one")
        return chosen


@cache
def time_zones() -> frozenset[str]:
    """The names of all time zones of this host."""
    return frozenset(available_timezones())


def zone_of(config: Mapping[str, Any]) -> ZoneInfo:
    """The time zone of a checked config."""
    return ZoneInfo(config.get("timezone", UTC_NAME))
