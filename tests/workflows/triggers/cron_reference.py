"""Cron by the minute: slow and obviously right, for `test_cron_properties`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


def numbers(text: str, low: int, high: int) -> set[int]:
    """What a field of numbers, `*`, ranges and steps names."""
    found = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (int(end) for end in span.split("-"))
        else:
            first = int(span)
            last = high if step else first
        found |= {
            n
            for n in range(low, high + 1)
            if first <= n <= last and (n - first) % int(step or 1) == 0
        }
    return found


def matches(expression: str, wall: datetime) -> bool:
    """Whether a clock that shows `wall` is at a moment of the expression."""
    minute, hour, day, month, weekday = expression.split()
    days = wall.day in numbers(day, 1, 31)
    names = wall.isoweekday() % 7 in numbers(weekday, 0, 6)
    both = day[0] == "*" or weekday[0] == "*"
    return (
        wall.minute in numbers(minute, 0, 59)
        and wall.hour in numbers(hour, 0, 23)
        and wall.month in numbers(month, 1, 12)
        and ((days and names) if both else (days or names))
    )


def firings(
    expression: str, zone: ZoneInfo, start: datetime, end: datetime
) -> list[datetime]:
    """The moments in (start, end], which are whole minutes in UTC."""
    return list(_firings(expression, zone, start, end))


def _firings(
    expression: str, zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[datetime]:
    moment = start - timedelta(days=2)
    moments = []
    while moment <= end:
        moments.append(moment)
        moment += MINUTE
    latest = moments[0].astimezone(zone).replace(tzinfo=None)
    for _, moment in pairwise(moments):
        wall = moment.astimezone(zone).replace(tzinfo=None)
        shown = latest + MINUTE  # every time on the wall that was not shown before
        due = False
        while shown <= wall:
            due = due or matches(expression, shown)
            shown += MINUTE
        latest = max(latest, wall)
        if due and moment > start:
            yield moment.astimezone(UTC)
