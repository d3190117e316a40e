from __future__ import annotations

from datetime import UTC, datetime, timedelta

from automate.lib.clock import Clock, SystemClock
from tests.automate.lib.fakes import FakeClock


def test_the_system_clock_tells_aware_utc() -> None:
    clock: Clock = SystemClock()
    now = clock.now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=30)


def test_the_monotonic_clock_never_goes_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_the_fake_clock_moves_only_when_told() -> None:
    fake = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    clock: Clock = fake
    start = clock.monotonic()
    assert clock.now() == clock.now()
    fake.advance(90)
    fake.advance(timedelta(minutes=1))
    assert clock.now() == datetime(2026, 3, 1, 0, 2, 30, tzinfo=UTC)
    assert clock.monotonic() - start == 150
