"""Sliding windows: the limit in any window, all of it, and when there is more."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib import sliding
from automate.lib.rates import Rate
from automate.lib.sliding import PARTS, Standing, Window

RATES = st.builds(Rate, st.integers(1, 40), st.sampled_from([1, 7, 60, 3600]))
# Moments as shares of a window, in any order: clocks may go back.
MOMENTS = st.lists(st.floats(0, 5), min_size=1, max_size=150)


def fresh(rate: Rate, at: float) -> Window:
    return Window(sliding.part_at(rate, at), (0,) * (PARTS + 1))


def take(window: Window, rate: Rate, at: float) -> tuple[Window, Standing]:
    now = window.at(sliding.part_at(rate, at))
    allowed = sliding.fits(now, rate, 1)
    now = now.plus(1) if allowed else now
    return now, sliding.standing(now, rate, at, allowed=allowed, count=1)


def accepted(rate: Rate, moments: list[float]) -> list[float]:
    window, found = fresh(rate, moments[0]), []
    for at in moments:
        window, result = take(window, rate, at)
        found += [at] if result.allowed else []
    return found


@given(st.integers(1, 12), st.sampled_from([1, 7, 60, 3600]), st.integers(0, 10**9))
def test_no_window_holds_more_than_the_limit_whenever_it_begins(
    count: int, seconds: int, seed: int
) -> None:
    """At about ten times the limit, so that something comes in every part."""
    rate, dice = Rate(count, seconds), random.Random(seed)
    asked = (1e9 + dice.uniform(0, 4) * seconds for _ in range(40 * count))
    found = accepted(rate, sorted(asked))
    assert len(found) >= 3 * count
    for first in found:
        inside = sum(first <= at < first + rate.seconds - 1e-6 for at in found)
        assert inside <= rate.count


@given(RATES, MOMENTS)
def test_a_clock_that_goes_back_lets_nobody_in_again(
    rate: Rate, shares: list[float]
) -> None:
    moments = [1e9 + share % 1 * rate.seconds for share in shares]
    assert len(accepted(rate, moments)) <= 2 * rate.count
    assert len(accepted(rate, [max(moments), *[min(moments)] * 100])) <= rate.count


@given(RATES, st.floats(0, 1e9))
def test_the_whole_limit_may_come_at_once(rate: Rate, at: float) -> None:
    assert len(accepted(rate, [at] * (rate.count + 5))) == rate.count


@given(RATES, MOMENTS)
def test_who_comes_back_after_the_wait_is_let_in_and_not_long_before(
    rate: Rate, shares: list[float]
) -> None:
    moments = sorted(1e9 + share * rate.seconds for share in shares)
    window = fresh(rate, moments[0])
    for at in [*moments, *[moments[-1]] * rate.count]:
        window, _ = take(window, rate, at)
    at = moments[-1]
    _, refused = take(window, rate, at)

    assert not refused.allowed
    assert refused.remaining == 0
    assert take(window, rate, at + refused.wait + 1e-3)[1].allowed
    too_soon = at + refused.wait - 1 - rate.seconds / PARTS
    if too_soon > at:
        assert not take(window, rate, too_soon)[1].allowed
    assert 1 <= refused.wait <= rate.seconds + rate.seconds / PARTS + 1


@given(RATES, MOMENTS)
def test_what_remains_is_what_may_still_come_and_it_stays_so_for_the_wait(
    rate: Rate, shares: list[float]
) -> None:
    moments = sorted(1e9 + share * rate.seconds for share in shares)
    window, told = fresh(rate, moments[0]), []
    for at in moments:
        window, result = take(window, rate, at)
        told.append(result.remaining)
    assert all(0 <= remaining < rate.count for remaining in told)
    assert accepted(rate, moments[:1])
    for _ in range(told[-1]):
        window, result = take(window, rate, moments[-1])
        assert result.allowed
    assert not take(window, rate, moments[-1])[1].allowed


def test_several_at_once_wait_until_all_of_them_fit() -> None:
    rate = Rate(10, 20)  # a part is a second
    window = Window(100, (0,) * 15 + (5, 0, 5, 0, 0, 0))

    def wait(count: int) -> int:
        told = sliding.standing(window, rate, 100.5, allowed=False, count=count)
        return told.wait

    assert [wait(1), wait(5), wait(6), wait(10)] == [4, 4, 6, 6]


def test_the_headers_are_structured_fields_of_the_draft() -> None:
    rate = Rate(100, 60)

    assert Standing(True, rate, 50, 30).headers("trigger") == {
        "RateLimit-Policy": '"trigger";q=100;w=60',
        "RateLimit": '"trigger";r=50;t=30',
    }
    assert Standing(False, rate, 0, 12).headers("trigger") == {
        "RateLimit-Policy": '"trigger";q=100;w=60',
        "RateLimit": '"trigger";r=0;t=12',
        "Retry-After": "12",
    }


@pytest.mark.parametrize("passed", [1, 5, PARTS, PARTS + 1, 10**9])
def test_what_is_older_than_a_window_counts_no_more(passed: int) -> None:
    window = Window(7, tuple(range(PARTS + 1))).at(7 + passed)

    assert len(window.counts) == PARTS + 1
    assert window.used == sum(range(max(PARTS + 1 - passed, 0)))
