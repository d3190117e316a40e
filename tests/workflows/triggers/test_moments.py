"""What is due after a pause: none of what was missed, one of it, or all of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.triggers.base import TriggerKind, get
from workflows.triggers.moments import GRACE, MOST, Due, due, upcoming

KIND = get("schedule")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def hourly(catch_up: str) -> dict[str, Any]:
    return {"cron": "0 * * * *", "catch_up": catch_up}


def hours(*numbers: int) -> tuple[datetime, ...]:
    return tuple(NOON.replace(hour=number) for number in numbers)


@pytest.mark.parametrize("catch_up", ["skip", "one", "all"])
def test_a_moment_taken_in_time_fires_whatever_is_caught_up(catch_up: str) -> None:
    found = due(KIND, hourly(catch_up), NOON, NOON + GRACE)
    assert found == Due((NOON,), NOON.replace(hour=13))


@pytest.mark.parametrize("catch_up", ["skip", "one", "all"])
def test_nothing_is_due_before_its_time(catch_up: str) -> None:
    assert due(KIND, hourly(catch_up), NOON, NOON - SECOND) == Due((), NOON)


@pytest.mark.parametrize(
    ("catch_up", "fires", "passed_over"),
    [("skip", (), 15), ("one", (15,), 14), ("all", (12, 13, 14, 15), None)],
)
def test_after_three_hours_without_anybody(
    catch_up: str, fires: tuple[int, ...], passed_over: int | None
) -> None:
    now = NOON.replace(hour=15, minute=30)
    found = due(KIND, hourly(catch_up), NOON, now)
    assert found.fire == hours(*fires)
    assert found.next == NOON.replace(hour=16)
    assert found.passed_over == (hours(passed_over)[0] if passed_over else None)


def test_skip_takes_the_moment_that_has_only_just_come() -> None:
    found = due(KIND, hourly("skip"), NOON, NOON.replace(hour=15, second=20))
    assert found.fire == hours(15)
    assert found.passed_over == NOON.replace(hour=14)


def test_all_catches_up_the_latest_hundred_and_names_the_one_before() -> None:
    config = {"cron": "* * * * *", "catch_up": "all"}
    now = NOON + timedelta(days=200)
    found = due(KIND, config, NOON, now)
    assert found.fire == tuple(now - MINUTE * n for n in reversed(range(MOST)))
    assert found.passed_over == now - MINUTE * MOST
    assert found.next == now + MINUTE


def test_what_was_promised_fires_though_the_expression_no_longer_names_it() -> None:
    promised = NOON + timedelta(seconds=17)
    found = due(KIND, hourly("one"), promised, promised + SECOND)
    assert found == Due((promised,), NOON.replace(hour=13))


def test_a_kind_that_ends_has_no_next_moment() -> None:
    class Once(TriggerKind):
        kind = "once"
        label = "Once"

        def next_fire(
            self, config: Mapping[str, Any], after: datetime
        ) -> datetime | None:
            return NOON if after < NOON else None

    assert upcoming(Once(), {}, NOON - MINUTE) == [NOON]
    assert due(Once(), {}, NOON, NOON + MINUTE) == Due((NOON,), None)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["*/7 * * * *", "0 3 * * *", "15 9 1 * *", "* 1 * * *"]),
    st.integers(0, 60 * 24 * 40),
    st.integers(0, 60 * 24 * 40),
)
def test_what_is_due_is_the_end_of_what_was_missed(
    expression: str, start: int, pause: int
) -> None:
    zone = {"cron": expression, "timezone": "Europe/Berlin", "catch_up": "all"}
    first = KIND.next_fire(zone, NOON + MINUTE * start)
    assert first is not None
    now = first + MINUTE * pause
    missed = [first]
    while (following := KIND.next_fire(zone, missed[-1])) and following <= now:
        missed.append(following)
    found = due(KIND, zone, first, now)
    assert list(found.fire) == missed[-MOST:]
    assert found.passed_over == (missed[-MOST - 1] if len(missed) > MOST else None)
    assert found.next == following
    one = due(KIND, {**zone, "catch_up": "one"}, first, now)
    assert one.fire == (missed[-1],)
