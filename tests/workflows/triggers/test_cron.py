"""Five fields, what they mean, and what is refused with what would be right."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from workflows.triggers.cron import NICKNAMES, CronError, parse

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 1, tzinfo=UTC)


def after(
    expression: str, start: datetime, zone: ZoneInfo | None = None, count: int = 3
) -> list[str]:
    """The next moments, as the clock on the wall shows them."""
    zone = zone or ZoneInfo("UTC")
    found = []
    for _ in range(count):
        moment = parse(expression).next_after(start, zone)
        assert moment is not None
        assert moment.tzinfo is UTC
        found.append(f"{moment.astimezone(zone):%Y-%m-%dT%H:%M%z}"[:-5])
        start = moment
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", ["2026-01-01T00:01", "2026-01-01T00:02"]),
        ("*/20 * * * *", ["2026-01-01T00:20", "2026-01-01T00:40"]),
        ("5/20 * * * *", ["2026-01-01T00:05", "2026-01-01T00:25"]),
        ("10-14/2 6 * * *", ["2026-01-01T06:10", "2026-01-01T06:12"]),
        ("0,30 6,7 * * *", ["2026-01-01T06:00", "2026-01-01T06:30"]),
        ("30 7 * * MON-FRI", ["2026-01-01T07:30", "2026-01-02T07:30"]),
        ("30 7 * * sat-sun", ["2026-01-03T07:30", "2026-01-04T07:30"]),
        ("30 7 * * 7", ["2026-01-04T07:30", "2026-01-11T07:30"]),
        ("30 7 * * 0", ["2026-01-04T07:30", "2026-01-11T07:30"]),
        ("30 7 * * 5-7", ["2026-01-02T07:30", "2026-01-03T07:30"]),
        ("0 0 1 JAN,jul *", ["2026-07-01T00:00", "2027-01-01T00:00"]),
        ("0 0 31 * *", ["2026-01-31T00:00", "2026-03-31T00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("@hourly", ["2026-01-01T01:00", "2026-01-01T02:00"]),
        ("@Daily", ["2026-01-02T00:00", "2026-01-03T00:00"]),
        ("@weekly", ["2026-01-04T00:00", "2026-01-11T00:00"]),
        ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00"]),
    ],
)
def test_the_fields_mean_what_cron_means(expression: str, expected: list[str]) -> None:
    assert after(expression, START, count=2) == expected


def test_either_day_field_is_enough_when_both_are_given() -> None:
    assert after("0 0 13 * FRI", START, count=4) == [
        "2026-01-02T00:00",
        "2026-01-09T00:00",
        "2026-01-13T00:00",
        "2026-01-16T00:00",
    ]


def test_a_day_field_that_begins_with_a_star_narrows_the_other() -> None:
    expected = ["2026-01-05T00:00", "2026-01-19T00:00", "2026-02-09T00:00"]
    assert after("0 0 */2 * MON", START) == expected


def test_a_moment_is_later_than_the_one_asked_about() -> None:
    on_time = datetime(2026, 1, 1, 7, 30, tzinfo=UTC)
    assert after("30 7 * * *", on_time, count=1) == ["2026-01-02T07:30"]
    before = on_time.replace(hour=7, minute=29, second=59, microsecond=999_999)
    assert after("30 7 * * *", before, count=1) == ["2026-01-01T07:30"]


def test_an_hour_that_autumn_repeats_fires_once() -> None:
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    first = parse("30 2 * * *").next_after(start, BERLIN)
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the summer's 02:30
    assert after("30 2 * * *", start, BERLIN) == [
        "2026-10-25T02:30",
        "2026-10-26T02:30",
        "2026-10-27T02:30",
    ]
    # Each minute of the wall once, also of a schedule that names every hour.
    assert after("*/30 * * * *", datetime(2026, 10, 25, 0, 0, tzinfo=UTC), BERLIN) == [
        "2026-10-25T02:30",
        "2026-10-25T03:00",
        "2026-10-25T03:30",
    ]


def test_times_that_spring_leaves_out_fire_once_after_the_gap() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    expected = ["2026-03-29T03:00", "2026-03-30T02:30", "2026-03-31T02:30"]
    assert after("30 2 * * *", start, BERLIN) == expected
    assert after("*/20 2 * * *", start, BERLIN, 2) == [
        "2026-03-29T03:00",
        "2026-03-30T02:00",
    ]
    # Together with what is due at that minute itself.
    assert after("0,30 2,3 * * *", start, BERLIN, 2) == [
        "2026-03-29T03:00",
        "2026-03-29T03:30",
    ]


def test_half_an_hour_is_left_out_and_repeated_on_lord_howe() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    spring = datetime(2026, 10, 3, 0, tzinfo=UTC)
    assert after("15 2 * * *", spring, zone, 2) == [
        "2026-10-04T02:30",
        "2026-10-05T02:15",
    ]
    autumn = datetime(2026, 4, 4, 0, tzinfo=UTC)
    assert after("45 1 * * *", autumn, zone, 2) == [
        "2026-04-05T01:45",
        "2026-04-06T01:45",
    ]


@pytest.mark.parametrize(
    ("zone", "gone", "then"),
    [
        ("Pacific/Apia", datetime(2011, 12, 30), "2011-12-31T00:00"),  # noqa: DTZ001
        ("Pacific/Kwajalein", datetime(1993, 8, 21), "1993-08-22T00:00"),  # noqa: DTZ001
    ],
)
def test_a_day_that_a_zone_leaves_out_fires_when_it_is_over(
    zone: str, gone: datetime, then: str
) -> None:
    start = gone.replace(tzinfo=UTC, day=gone.day - 3)
    expression = f"0 9 {gone.day} {gone.month} *"
    assert after(expression, start, ZoneInfo(zone), 1) == [then]
    midnights = after("0 0 * * *", start, ZoneInfo(zone), 5)
    assert midnights.count(then) == 1
    assert f"{gone:%Y-%m-%d}T00:00" not in midnights


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 0 31 2 *", "never comes: no February has a day 31"),
        ("0 0 30 FEB *", "never comes: no February has a day 30"),
        ("0 0 31 4,6,9,11 *", "never comes: no April or June or"),
        ("* * * *", "must have five fields (minute hour day month weekday), not 4"),
        ("0 * * * * *", "not 6; seconds and years are not among them"),
        ("", "must have five fields"),
        ("60 * * * *", 'has the minute "60"; it must be from 0 to 59'),
        ("* 24 * * *", 'has the hour "24"; it must be from 0 to 23'),
        ("* * 0 * *", 'has the day "0"; it must be from 1 to 31'),
        ("* * * 13 *", 'has the month "13"; it must be from 1 to 12, or JAN to DEC'),
        ("* * * * 8", 'has the weekday "8"; it must be from 0 to 7, or SUN to SAT'),
        ("* * * * MONDAY", 'has the weekday "MONDAY"'),
        ("* * L * *", 'has the day "L"'),
        ("* * ? * *", 'has the day "?"'),
        ("5-1 * * * *", 'has the minute range "5-1", which runs backwards'),
        ("*/0 * * * *", 'has the minute "*/0"; a step is a number from 1 to 59'),
        ("*/90 * * * *", 'has the minute "*/90"; a step is a number from 1 to 59'),
        ("*/ * * * *", 'has the minute "*/"'),
        ("1,,2 * * * *", 'has the minute ""'),
        ("-1 * * * *", 'has the minute ""'),
        ("1-2-3 * * * *", 'has the minute "2-3"'),
        ("\u0661 * * * *", 'has the minute "\u0661"'),  # an Arabic digit
        ("@reboot", 'does not know "@reboot"; there are @hourly, '),
    ],
)
def test_what_is_refused_says_what_would_be_right(
    expression: str, message: str
) -> None:
    with pytest.raises(CronError) as caught:
        parse(expression)
    assert message in str(caught.value)


def test_a_day_by_name_comes_where_the_day_by_number_does_not() -> None:
    assert after("0 0 31 2 MON", START, count=1) == ["2026-02-02T00:00"]


def test_every_nickname_is_five_fields() -> None:
    assert all(parse(name) == parse(text) for name, text in NICKNAMES.items())


def test_time_runs_out_without_an_error() -> None:
    late = datetime(9998, 12, 31, 23, 59, tzinfo=UTC)
    assert parse("* * * * *").next_after(late, ZoneInfo("UTC")) is None


def test_the_rarest_expression_is_found_in_milliseconds() -> None:
    began = time.thread_time()
    # A 29 February that is a Saturday: from 2092 the next is in 2104.
    found = parse("0 0 29 2 */6").next_after(datetime(2092, 3, 1, tzinfo=UTC), BERLIN)
    assert found is not None
    assert time.thread_time() - began < 0.5
