"""What the step kinds that wait for an answer share: their time-out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from automate.lib.durations import parse_duration

LONGEST = timedelta(days=366)
DEFAULT = "7d"

TIMEOUT: dict[str, Any] = {
    "title": "Time-out",
    "description": 'How long it waits: seconds or text ("30m", "7d"), 366 d at most',
    "type": ["number", "string"],
    "exclusiveMinimum": 0,
    "minLength": 1,
    "maxLength": 100,
    "default": DEFAULT,
}


def time_out(config: Mapping[str, Any]) -> timedelta:
    """How long a step with this config waits; raises ValueError."""
    length = parse_duration(config.get("timeout", DEFAULT))
    if not timedelta(0) < length <= LONGEST:
        raise ValueError(f"a time-out is longer than 0 and at most {LONGEST.days} days")
    return length


def problem(config: Mapping[str, Any]) -> str:
    """What is wrong with the time-out, or an empty text; a template may be anything."""
    value = config.get("timeout")
    if isinstance(value, str) and "{{" in value:
        return ""
    try:
        time_out(config)
    except ValueError as error:
        return str(error)
    return ""


def longest(config: Mapping[str, Any]) -> timedelta | None:
    """The time-out, unless a template decides."""
    value = config.get("timeout")
    if isinstance(value, str) and "{{" in value:
        return None
    return time_out(config)


def until(config: Mapping[str, Any], now: datetime) -> datetime:
    """When a wait that begins now is over; raises ValueError."""
    return now + time_out(config)
