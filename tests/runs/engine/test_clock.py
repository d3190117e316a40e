"""Steps go by the database's clock, wherever they run."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from automate.lib.database import write_transaction
from runs.engine.clock import DatabaseClock
from runs.engine.ledger import Ledger
from tests.runs.drains import in_thread
from tests.runs.flows import given, publish, started

MOMENT = datetime(2020, 2, 2, tzinfo=UTC)


def test_it_goes_on_from_what_the_database_said() -> None:
    clock = DatabaseClock()
    clock.set(MOMENT, time.monotonic() - 5)

    passed = clock.now() - MOMENT
    assert timedelta(seconds=5) <= passed < timedelta(seconds=35)


def test_before_the_first_word_it_is_the_hosts() -> None:
    assert abs(DatabaseClock().now() - datetime.now(UTC)) < timedelta(seconds=30)


@pytest.mark.usefixtures("engine")
def test_waiting_for_the_database_does_not_make_it_run_ahead() -> None:
    """Shown to fail on SQLite when the time of asking is taken for that of reading."""
    clock = DatabaseClock()
    ledger = Ledger(clock=clock)
    started(publish(given("a")))
    locked, release = threading.Event(), threading.Event()

    def write() -> None:
        with write_transaction():
            locked.set()
            release.wait(60)

    thread = in_thread(write)
    assert locked.wait(60)
    threading.Timer(2, release.set).start()
    ledger.turn({}, 1, 1)
    thread.join()

    assert abs((clock.now() - database_clock()).total_seconds()) < 1


def database_clock() -> datetime:
    """PostgreSQL's; SQLite has that of the one host."""
    if connection.vendor == "sqlite":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
