from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.durations import parse_duration


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, timedelta(seconds=2)),
        (2.5, timedelta(seconds=2.5)),
        (0, timedelta()),
        ("2", timedelta(seconds=2)),
        ("2.5", timedelta(seconds=2.5)),
        ("2s", timedelta(seconds=2)),
        ("500ms", timedelta(milliseconds=500)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1d2h3m4s5ms", timedelta(1, 2 * 3600 + 3 * 60 + 4, 5000)),
        (" 1H 30M ", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
    ],
)
def test_a_duration_is_read(value: float | str, expected: timedelta) -> None:
    assert parse_duration(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "s", "ten", "-1", "-5m", "1m1h", "5m5m", "1w", "1,5s", "1e3", "0x10",
        "٣s", "1h30", "5 5", "inf", "nan", "1s\n1", -1, -0.5, float("nan"),
        float("inf"), float("-inf"), True, False, None, [], -(10**400),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_is_right(value: object) -> None:
    with pytest.raises(ValueError, match=r"not a duration: use seconds .*1h30m"):
        parse_duration(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["999999999999999d", 1e300])
def test_a_duration_beyond_the_calendar_is_refused(value: float | str) -> None:
    with pytest.raises(ValueError, match="too long"):
        parse_duration(value)


def test_the_error_does_not_repeat_a_huge_value() -> None:
    for value in ("x" * 10_000, 10**5000):
        with pytest.raises(ValueError, match="duration") as caught:
            parse_duration(value)
        assert len(str(caught.value)) < 250


@given(
    days=st.integers(0, 9999),
    hours=st.integers(0, 9999),
    minutes=st.integers(0, 9999),
    seconds=st.integers(0, 9999),
)
def test_parts_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert parse_duration(text) == timedelta(
        days=days, hours=hours, minutes=minutes, seconds=seconds
    )


@given(st.text(max_size=12))
def test_a_text_is_read_or_refused_and_never_anything_else(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= timedelta()
