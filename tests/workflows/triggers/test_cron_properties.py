"""Cron against a reference that goes minute by minute, around changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workflows.triggers.cron_reference import firings, numbers
from workflows.triggers.cron import CronError, parse

# A zone, and a moment near which its clocks are changed, if they are.
CHANGES = [
    ("UTC", (2026, 1, 1)),
    ("Europe/Berlin", (2026, 3, 29)),
    ("Europe/Berlin", (2026, 10, 25)),
    ("America/New_York", (2026, 11, 1)),
    ("America/St_Johns", (2006, 4, 2)),  # at one minute past midnight
    ("America/Sao_Paulo", (2018, 11, 4)),  # midnight itself is left out
    ("Asia/Kathmandu", (1986, 1, 1)),  # a quarter of an hour
    ("Australia/Lord_Howe", (2026, 4, 4)),  # half an hour
    ("Australia/Lord_Howe", (2026, 10, 3)),
    ("Pacific/Apia", (2011, 12, 30)),  # a whole day is left out
    ("Pacific/Kwajalein", (1993, 8, 21)),
    ("Antarctica/Troll", (2026, 3, 29)),  # two hours
    ("Africa/Casablanca", (2026, 2, 15)),  # backwards, for Ramadan
]


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> str:
    """One field: a star, or a list of numbers, ranges and steps."""

    def part() -> str:
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, max(high, 1)))
        forms = ["*", f"*/{step}", f"{first}", f"{first}-{last}"]
        return draw(st.sampled_from([*forms, f"{first}-{last}/{step}"]))

    return ",".join(part() for _ in range(draw(st.sampled_from([1, 1, 1, 2]))))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Any five fields; months and days are mostly open, so that something fires."""
    star = st.just("*")
    chosen = [
        draw(fields(0, 59)),
        draw(star | fields(0, 23)),
        draw(star | fields(1, 31)),
        draw(star | star | star | fields(1, 12)),
        draw(star | fields(0, 6)),
    ]
    return " ".join(chosen)


def all_after(
    expression: str, zone: ZoneInfo, start: datetime, end: datetime
) -> list[datetime]:
    found: list[datetime] = []
    moment = parse(expression).next_after(start, zone)
    while moment is not None and moment <= end:
        found.append(moment)
        moment = parse(expression).next_after(moment, zone)
    return found


@settings(max_examples=25, deadline=None)
@given(expressions(), st.sampled_from(CHANGES), st.integers(0, 2 * 1440))
def test_the_moments_are_those_of_the_reference(
    expression: str, change: tuple[str, tuple[int, int, int]], minutes: int
) -> None:
    zone = ZoneInfo(change[0])
    middle = datetime(*change[1], tzinfo=UTC)
    start = middle - timedelta(minutes=minutes)
    end = middle + timedelta(days=1, hours=6)
    try:
        parse(expression)
    except CronError:
        assert firings(expression, zone, start, end) == []
        return
    found = all_after(expression, zone, start, end)
    assert found == firings(expression, zone, start, end)


@settings(max_examples=25, deadline=None)
@given(expressions(), st.sampled_from(CHANGES), st.datetimes(), st.integers(1, 40))
def test_moments_grow_and_no_minute_of_the_wall_comes_twice(
    expression: str,
    change: tuple[str, tuple[int, int, int]],
    start: datetime,
    count: int,
) -> None:
    zone = ZoneInfo(change[0])
    try:
        cron = parse(expression)
    except CronError:
        return
    moments = [start.replace(year=start.year % 200 + 1950, day=1, tzinfo=UTC)]
    for _ in range(count):
        moment = cron.next_after(moments[-1], zone)
        assert moment is not None
        moments.append(moment)
    assert all(a < b for a, b in pairwise(moments))
    shown = [f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}" for moment in moments[1:]]
    assert len(set(shown)) == len(shown)


@given(st.text(alphabet="0123456789*/-,@ MONJAthourly", max_size=30))
def test_any_text_is_read_and_comes_or_is_refused(text: str) -> None:
    try:
        cron = parse(text)
    except CronError:
        return
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert cron.next_after(start, ZoneInfo("UTC")) is not None


def test_the_reference_reads_fields_as_people_do() -> None:
    assert numbers("1-5/2,40", 0, 59) == {1, 3, 5, 40}
    assert numbers("50/4", 0, 59) == {50, 54, 58}
