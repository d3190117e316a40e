"""What a breaker decides, whatever comes: without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflows.models import Breaker
from workflows.models.breaker import LEAST, WINDOW, recent, slot_of

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
RUN = UUID(int=7)
LEASE = timedelta(seconds=75)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def counted(row: Breaker, seconds: float, attempts: int, failures: int) -> bool:
    moment = after(seconds)
    return row.count([(slot_of(moment), attempts, failures)], moment)


def opened() -> Breaker:
    row = Breaker(pk=uuid4())
    assert counted(row, 0, 10, 10)
    return row


@pytest.mark.parametrize(
    ("attempts", "failures", "opens"),
    [(9, 9, False), (10, 10, True), (10, 7, True), (10, 6, False), (100, 69, False)],
)
def test_it_opens_at_seventy_percent_of_ten(
    attempts: int, failures: int, opens: bool
) -> None:
    assert counted(Breaker(), 0, attempts, failures) is opens


def test_only_the_last_minute_counts() -> None:
    row = Breaker()
    assert not counted(row, 0, 9, 9)
    assert not counted(row, 61, 1, 1)
    assert row.totals() == (1, 1)
    assert not counted(row, 70, 8, 8)
    assert counted(row, 100, 1, 1)


def test_the_first_probe_is_after_thirty_seconds_and_the_pause_doubles() -> None:
    row, at = opened(), 0.0
    waits = []
    for _ in range(7):
        assert row.probe_at is not None
        wait = (row.probe_at - after(at)).total_seconds()
        waits.append(wait)
        assert not row.take_probe(RUN, "a", after(at + wait - 0.1), LEASE)
        at += wait
        assert row.take_probe(RUN, "a", after(at), LEASE)
        row.probed(after(at), good=False)

    assert waits == [30, 60, 120, 240, 480, 600, 600]
    assert row.opened_at == NOW


def test_one_probe_at_a_time_until_its_lease_is_over() -> None:
    row, other = opened(), uuid4()
    assert row.take_probe(RUN, "a", after(30), LEASE)
    assert not row.take_probe(other, "a", after(60), LEASE)
    assert not row.take_probe(RUN, "b", after(60), LEASE)
    assert row.take_probe(RUN, "a", after(60), LEASE), "its worker vanished"
    assert not row.take_probe(other, "a", after(134), LEASE)
    assert row.take_probe(other, "a", after(135), LEASE)


def test_a_good_one_closes_and_counts_from_nothing() -> None:
    row = opened()
    row.take_probe(RUN, "a", after(30), LEASE)
    row.probed(after(31), good=True)

    assert row.is_closed
    assert (row.slots, row.pause, row.opened_at, row.probe_run) == ([], 30, None, None)
    assert not counted(row, 32, 9, 9)


def test_one_that_was_not_made_may_be_made_at_once() -> None:
    row = opened()
    row.take_probe(RUN, "a", after(30), LEASE)
    row.probed(after(31), good=None)

    assert (row.state, row.pause, row.probe_at) == ("open", 30, after(31))


def test_what_comes_while_it_is_open_is_not_counted() -> None:
    row = opened()

    assert not counted(row, 1, 50, 50)
    assert row.opened_at == NOW


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 5), st.integers(0, 5)).map(
            lambda item: (item[0], item[1] + item[2], item[2])
        ),
        max_size=30,
    )
)
def test_it_opens_only_for_what_a_minute_can_show(
    told: list[tuple[int, int, int]],
) -> None:
    """Against the plain sum over the last minute."""
    row = Breaker()
    told = sorted(told)
    for place, (second, attempts, failures) in enumerate(told):
        opens = counted(row, second, attempts, failures)
        edge = after(second).timestamp() - WINDOW
        last = [item for item in told[: place + 1] if slot_of(after(item[0])) > edge]
        tried, failed = sum(i[1] for i in last), sum(i[2] for i in last)
        assert opens is (tried >= LEAST and failed >= 0.7 * tried)
        if opens:
            return
        assert row.totals() == (tried, failed)


def test_slots_are_added_up_and_forgotten() -> None:
    first = slot_of(NOW)
    slots = [(first, 1, 0), (first, 2, 1), (first - 100, 5, 5)]

    assert recent(slots, NOW) == [(first, 3, 1)]
