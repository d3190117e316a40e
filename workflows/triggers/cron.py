"""Cron expressions of five fields and the moments they mean in a time zone: pure.

As in Vixie cron: minute, hour, day of the month, month, day of the week; names of
months and days, ranges, steps and lists; a day counts when either day field names it,
or both when one of them begins with `*`. Times are those on the wall of the time
zone, each of them once:

- an hour that autumn repeats is taken the first time and passed over the second;
- times that spring leaves out count at the first moment after the gap, all of them
  together, and together with what is due at that moment itself.

docs/adr/0011 says why this is not a library's.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

MINUTE = timedelta(minutes=1)
LAST_YEAR = 9998  # so that no time zone leads beyond datetime.max
FIELDS = "minute hour day month weekday"
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

NICKNAMES: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = {name.upper(): n for n, name in enumerate(calendar.month_abbr) if name}
_DAYS = {
    name: n for n, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))
}


class CronError(ValueError):
    """This is no cron expression, or none that ever comes; says what would be right."""


@dataclass(frozen=True, slots=True)
class Cron:
    """What the five fields allow; weekdays from 0 for Sunday.

    `both` says that a day must be named by both day fields, not by either.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: tuple[int, ...]
    weekdays: frozenset[int]
    both: bool

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """The first moment later than `moment`, in UTC; None when time runs out."""
        wall = moment.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
        for candidate in self.walls(wall):
            found = moment_of(candidate, zone)
            if found > moment:
                return found
        return None

    def walls(self, start: datetime) -> Iterator[datetime]:
        """The times on the wall that match, from `start` (a whole minute) on."""
        for day in self._dates(start.date()):
            first = day == start.date()
            for hour in self.hours:
                if first and hour < start.hour:
                    continue
                for minute in self.minutes:
                    if not first or (hour, minute) >= (start.hour, start.minute):
                        yield datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - a time on the wall

    def has_day(self, day: date) -> bool:
        """Whether the day fields and the month allow this date."""
        if day.month not in self.months:
            return False
        by_number = day.day in self.days
        by_name = day.isoweekday() % 7 in self.weekdays
        return (by_number and by_name) if self.both else (by_number or by_name)

    def _dates(self, start: date) -> Iterator[date]:
        for year in range(start.year, LAST_YEAR + 1):
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                for number in range(1, calendar.monthrange(year, month)[1] + 1):
                    day = date(year, month, number)
                    if day >= start and self.has_day(day):
                        yield day


def moment_of(wall: datetime, zone: tzinfo) -> datetime:
    """When a clock in `zone` first shows `wall`, in UTC.

    For a time that it leaves out: the first moment after the gap.
    """
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # In a gap, fold 0 reckons with the offset before it (which leads behind the gap),
    # fold 1 with the one after it.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()
    low, high = 0, int((moment - before) / MINUTE) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if (before + middle * MINUTE).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return before + high * MINUTE


@lru_cache(maxsize=1024)
def parse(text: str) -> Cron:
    """The five fields, or one of NICKNAMES; raises CronError."""
    given = text.split()
    if len(given) == 1 and given[0].startswith("@"):
        given = _nickname(given[0]).split()
    if len(given) != 5:
        hint = "; seconds and years are not among them" if len(given) > 5 else ""
        raise CronError(f"must have five fields ({FIELDS}), not {len(given)}{hint}")
    minutes = _field(given[0], "minute", 0, 59)
    hours = _field(given[1], "hour", 0, 23)
    days = _field(given[2], "day", 1, 31)
    months = _field(given[3], "month", 1, 12, _MONTHS)
    weekdays = frozenset(n % 7 for n in _field(given[4], "weekday", 0, 7, _DAYS))
    both = given[2].startswith("*") or given[4].startswith("*")
    if both and all(min(days) > LONGEST[month - 1] for month in months):
        raise CronError(f"never comes: no {_names(months)} has a day {min(days)}")
    return Cron(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=tuple(sorted(months)),
        weekdays=weekdays,
        both=both,
    )


def _nickname(word: str) -> str:
    try:
        return NICKNAMES[word.lower()]
    except KeyError:
        known = ", ".join(NICKNAMES)
        raise CronError(f'does not know "{word}"; there are {known}') from None


def _names(months: frozenset[int]) -> str:
    return " or ".join(calendar.month_name[month] for month in sorted(months))


def _field(
    text: str, name: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> frozenset[int]:
    """The numbers that a field names: a list of `*`, numbers, ranges, with steps."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _step(step_text, part, name, high) if slash else 1
        if span == "*":
            first, last = low, high
        else:
            start, dash, end = span.partition("-")
            first = last = _number(start, name, low, high, names or {})
            if dash:
                last = _number(end, name, low, high, names or {})
                if name == "weekday" and last == 0 < first:  # FRI-SUN
                    last = 7
            elif slash:
                last = high
        if first > last:
            raise CronError(f'has the {name} range "{span}", which runs backwards')
        if span == "*" and name == "weekday":
            last = 6
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _step(text: str, part: str, name: str, high: int) -> int:
    step = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    if not 1 <= step <= high:
        raise CronError(f'has the {name} "{part}"; a step is a number from 1 to {high}')
    return step


def _number(text: str, name: str, low: int, high: int, names: Mapping[str, int]) -> int:
    if text.upper() in names:
        return names[text.upper()]
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else -1
    if not low <= number <= high:
        also = f", or {next(iter(names))} to {list(names)[-1]}" if names else ""
        raise CronError(
            f'has the {name} "{text}"; it must be from {low} to {high}{also}'
        )
    return number
