"""What is kept of events that did not become a run, and how little a flood costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest import mock
from uuid import uuid4

import pytest
from django.db import OperationalError
from pytest_django import DjangoAssertNumQueries

from tests.automate.lib.fakes import FakeClock
from tests.webhooks.makers import make_trigger
from webhooks import record
from webhooks.models import InboundEvent
from webhooks.record import Rejected, Tally, keep

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, 12, 30, 15, tzinfo=UTC)
STRANGER = Rejected(None, "unknown_key", 401, "No webhook has this address.")


def counts() -> dict[tuple[object, str], int]:
    rows = InboundEvent.objects.values_list("trigger_id", "reason", "count")
    return {(trigger, reason): count for trigger, reason, count in rows}


def test_strangers_are_counted_in_one_row_a_minute() -> None:
    tally = Tally()
    for second in (0, 20, 44):
        tally.add(STRANGER, NOW + timedelta(seconds=second))
    tally.add(STRANGER, NOW + timedelta(seconds=45))
    rows = InboundEvent.objects.order_by("minute").values_list("minute", "count")
    minute = NOW.replace(second=0)
    assert list(rows) == [(minute, 3), (minute + timedelta(minutes=1), 1)]


def test_each_trigger_and_reason_has_a_count_of_its_own() -> None:
    tally = Tally()
    one, two = make_trigger().pk, make_trigger().pk
    for trigger, reason in [
        (one, "bad_signature"),
        (two, "bad_signature"),
        (one, "expired"),
        (one, "bad_signature"),
        (None, "unknown_key"),
    ]:
        tally.add(Rejected(trigger, reason, 401), NOW)
    assert counts() == {
        (one, "bad_signature"): 2,
        (two, "bad_signature"): 1,
        (one, "expired"): 1,
        (None, "unknown_key"): 1,
    }


def test_the_row_shows_the_last_of_those_it_counts() -> None:
    tally = Tally()
    trigger = make_trigger().pk
    for address, detail in [("203.0.113.1", "first"), ("203.0.113.2", "last")]:
        tally.add(
            Rejected(trigger, "expired", 401, detail, detail, None, address, 5), NOW
        )
        row = InboundEvent.objects.get()
        assert row.event_id == ("first" if detail == "first" else "")
    assert (row.detail, row.source_ip, row.size) == ("last", "203.0.113.2", 5)
    assert row.at is not None


def test_a_flood_is_counted_with_few_writes_and_nothing_is_lost(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    clock = FakeClock()
    tally = Tally(clock.monotonic)
    with django_assert_max_num_queries(100):  # 20 writes with their BEGIN and COMMIT
        for _ in range(5000):
            tally.add(STRANGER, NOW)
    assert counts() == {(None, "unknown_key"): 20}
    clock.advance(0.06)
    tally.add(STRANGER, NOW)
    assert counts() == {(None, "unknown_key"): 5001}


def test_what_a_flood_left_of_another_minute_is_written_later() -> None:
    clock = FakeClock()
    tally = Tally(clock.monotonic)
    for _ in range(30):
        tally.add(STRANGER, NOW)
    clock.advance(60)
    later = NOW + timedelta(minutes=1)
    tally.add(STRANGER, later)
    tally.add(STRANGER, later)
    minutes = dict(InboundEvent.objects.values_list("minute", "count"))
    assert minutes == {
        NOW.replace(second=0): 30,
        later.replace(second=0): 2,
    }


def test_memory_is_bounded_in_a_flood_over_many_triggers() -> None:
    tally = Tally(FakeClock().monotonic)
    with mock.patch.object(record, "_write"):
        for _ in range(3000):
            tally.add(Rejected(uuid4(), "bad_signature", 401), NOW)
    assert len(tally._pending) <= Tally.MOST_PENDING


def test_a_trigger_that_is_gone_leaves_no_count() -> None:
    Tally().add(Rejected(uuid4(), "bad_signature", 401), NOW)
    assert counts() == {}


def test_a_count_that_cannot_be_written_is_only_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with mock.patch.object(
        record, "write_transaction", side_effect=OperationalError("away")
    ):
        Tally().add(STRANGER, NOW)
        keep(STRANGER)
    assert "could not count 1 unknown_key" in caplog.text
    assert "could not record a unknown_key" in caplog.text


def test_texts_of_any_kind_and_length_can_be_kept() -> None:
    event = Rejected(None, "filtered", 200, "\x00\ud800" + "x" * 5000, "\x00" * 900)
    keep(event)
    Tally().add(event, NOW)
    assert [len(row.detail) for row in InboundEvent.objects.all()] == [1000, 1000]
    assert {len(row.event_id) for row in InboundEvent.objects.all()} == {200}
