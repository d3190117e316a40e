"""n8n's rules of when to start, as cron lines of five fields.

The rules are those of its nodes scheduleTrigger (`toCronExpression` of
packages/nodes-base/nodes/Schedule), cron (`toCronExpression` of packages/workflow) and
interval. n8n's own lines have seconds before the five fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workflows.integrations.n8n.source import listed, mapping, number, text
from workflows.triggers.cron import CronError, parse

Note = Callable[[str], None]
EVERY_MINUTE = "* * * * *"
_MONTHS = 12


def schedules(intervals: list[Any], note: Note) -> list[str]:
    """The lines of a scheduleTrigger's rules; a rule that is none is told."""
    _tell_computed(intervals, note)
    found = (_interval(mapping(interval), note) for interval in intervals)
    return [line for line in found if line]


def _interval(rule: Mapping[str, Any], note: Note) -> str:
    field = text(rule.get("field")) or "days"
    if field == "cronExpression":
        return six_fields(text(rule.get("expression")), note)
    if field == "seconds":
        return _seconds(_whole(rule, "secondsInterval", 30, 1, 86_400), note)
    if field == "minutes":
        return _minutes(_whole(rule, "minutesInterval", 5, 1, 100_000), note)
    minute = _whole(rule, "triggerAtMinute", 0, 0, 59)
    if field == "hours":
        return _hours(_whole(rule, "hoursInterval", 1, 1, 100_000), minute, note)
    hour = _whole(rule, "triggerAtHour", 0, 0, 23)
    if field == "days":
        return _days(_whole(rule, "daysInterval", 1, 1, 31), hour, minute, note)
    if field == "weeks":
        if _whole(rule, "weeksInterval", 1, 1, 52) != 1:
            note("it starts every week: cron has no every second week")
        days = sorted(
            {int(number(day, -1)) for day in listed(rule.get("triggerAtDay"))}
        )
        named = ",".join(str(day) for day in days if 0 <= day <= 7)
        return f"{minute} {hour} * * {named or '0'}"
    if field == "months":
        every = _whole(rule, "monthsInterval", 1, 1, 100)
        day = _whole(rule, "triggerAtDayOfMonth", 1, 1, 31)
        if _MONTHS % every:
            note(f"every {every} months is counted from January of each year")
        months = "*" if every == 1 else f"*/{min(every, _MONTHS)}"
        return f"{minute} {hour} {day} {months} *"
    note(f'a rule "{field[:40]}" is not known: left out')
    return ""


def cron_lines(items: list[Any], note: Note) -> list[str]:
    """The lines of the older cron node's times."""
    _tell_computed(items, note)
    found = (_time(mapping(item), note) for item in items)
    return [line for line in found if line]


def _time(item: Mapping[str, Any], note: Note) -> str:
    mode = text(item.get("mode")) or "everyDay"
    minute = _whole(item, "minute", 0, 0, 59)
    hour = _whole(item, "hour", 14, 0, 23)
    day = _whole(item, "dayOfMonth", 1, 1, 31)
    weekday = text(item.get("weekday")) or "1"
    match mode:
        case "everyMinute":
            return EVERY_MINUTE
        case "everyHour":
            return f"{minute} * * * *"
        case "everyDay":
            return f"{minute} {hour} * * *"
        case "everyWeek":
            return six_fields(f"{minute} {hour} * * {weekday}", note)
        case "everyMonth":
            return f"{minute} {hour} {day} * *"
        case "everyX":
            every = _whole(item, "value", 2, 1, 100_000)
            if text(item.get("unit")) == "minutes":
                return _minutes(every, note)
            return _hours(every, 0, note)
        case "custom":
            return six_fields(text(item.get("cronExpression")), note)
    note(f'a time "{mode[:40]}" is not known: left out')
    return ""


def interval_lines(parameters: Mapping[str, Any], note: Note) -> list[str]:
    """The line of the interval node."""
    _tell_computed([parameters], note)
    every = _whole(parameters, "interval", 1, 1, 1_000_000)
    unit = text(parameters.get("unit")) or "seconds"
    note("n8n counts from the workflow's activation, cron from the full hour or day")
    if unit == "minutes":
        return [_minutes(every, note)]
    if unit == "hours":
        return [_hours(every, 0, note)]
    return [_seconds(every, note)]


def six_fields(line: str, note: Note) -> str:
    """A line as n8n takes it: five fields, or six with the seconds before them."""
    fields = line.split()
    if line.startswith("=") or "{{" in line:
        note("a cron expression that is computed has no counterpart: left out")
        return ""
    if len(fields) == 6:
        if fields[0] not in ("0", "00"):
            note(f'the seconds "{fields[0][:20]}" are left out: full minutes count')
        fields = fields[1:]
    plain = " ".join(fields)
    try:
        parse(plain)
    except CronError as error:
        note(f'the cron expression "{line[:60]}" cannot be used: {error}')
        return ""
    return plain


def _seconds(every: int, note: Note) -> str:
    if every % 60 == 0:
        return _minutes(every // 60, note)
    if every < 60:
        note(f"every {every} seconds becomes every minute, the shortest here")
        return EVERY_MINUTE
    note(f"every {every} seconds becomes every {round(every / 60)} minutes")
    return _minutes(round(every / 60), note)


def _minutes(every: int, note: Note) -> str:
    if every == 1:
        return EVERY_MINUTE
    if every >= 60:
        if every % 60:
            note(f"every {every} minutes becomes every {round(every / 60)} hours")
        return _hours(round(every / 60), 0, note)
    if 60 % every:
        note(f"every {every} minutes is counted anew from each full hour")
    return f"*/{every} * * * *"


def _hours(every: int, minute: int, note: Note) -> str:
    if every == 1:
        return f"{minute} * * * *"
    if every >= 24:
        if every % 24:
            note(f"every {every} hours becomes every {round(every / 24)} days")
        return _days(round(every / 24), 0, minute, note)
    if 24 % every:
        note(f"every {every} hours is counted anew from midnight")
    return f"{minute} */{every} * * *"


def _days(every: int, hour: int, minute: int, note: Note) -> str:
    if every == 1:
        return f"{minute} {hour} * * *"
    note(f"every {every} days is counted anew from the first of each month")
    return f"{minute} {hour} */{min(every, 31)} * *"


def _tell_computed(rules: list[Any], note: Note) -> None:
    for rule in rules:
        for name, value in mapping(rule).items():
            if isinstance(value, str) and value.startswith("="):
                note(f"{name} is computed by an expression: its usual value was taken")


def _whole(
    given: Mapping[str, Any], name: str, default: int, low: int, high: int
) -> int:
    """A whole number within bounds; an expression is taken for the default."""
    return int(min(max(number(given.get(name), default), low), high))
