"""Rates: what people write, and what follows for bursts and intervals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.rates import Rate, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(10, 1)),
        ("100/m", Rate(100, 60)),
        ("1000/h", Rate(1000, 3600)),
        (" 5 / s ", Rate(5, 1)),
        ("1/h", Rate(1, 3600)),
    ],
)
def test_a_rate_is_a_number_and_a_unit(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate
    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize(
    "text",
    ["", "10", "/s", "0/s", "-1/s", "1.5/s", "10/d", "10 per s", "\u0661/s"],
)
def test_what_is_none_is_told_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 10/s, 100/m or 1000/h") as caught:
        parse_rate(text)
    assert repr(text) in str(caught.value)


@given(st.integers(1, 9_999_999), st.sampled_from([1, 60, 3600]))
def test_a_burst_and_what_follows_stay_within_the_count(
    count: int, seconds: int
) -> None:
    rate = Rate(count, seconds)
    gap = seconds / (count - rate.burst + 1)
    # Half open: what comes exactly one period later belongs to the next one.
    inside = rate.burst - 1 + math.ceil(seconds / gap - 1e-6)
    assert inside <= count
    assert 1 <= rate.burst <= max(count // 10, 1)
    assert inside >= count * 0.9 - 1, "and not much below it"
