"""Rate limits over all processes: one row, one statement, exact."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from automate.accounts import limits
from automate.accounts.models import RateWindow
from automate.lib import sliding
from automate.lib.database import write_transaction
from automate.lib.rates import Rate
from automate.lib.sliding import PARTS

RATE = Rate(5, 1_000_000)  # hardly ever does a part end while a test runs


def age(parts: int) -> None:
    """As if so many parts of a window had passed."""
    RateWindow.objects.update(part=F("part") - parts)


def taken(times: int, scope: str = "t", rate: Rate = RATE) -> list[bool]:
    return [limits.take(scope, rate).allowed for _ in range(times)]


@pytest.mark.django_db
class TestOne:
    def test_as_many_as_the_limit_are_allowed_and_no_more(self) -> None:
        assert taken(8) == [True] * 5 + [False] * 3

    def test_it_tells_what_remains_and_when_there_is_more(self) -> None:
        first, *_, last = [limits.take("t", RATE) for _ in range(6)]

        assert (first.remaining, last.remaining) == (4, 0)
        assert (first.allowed, last.allowed) == (True, False)
        assert RATE.seconds - 60 <= first.wait <= RATE.seconds * (1 + 1 / PARTS)
        assert abs(first.wait - last.wait) <= 60

    def test_who_is_refused_uses_up_nothing(self) -> None:
        taken(5)
        before = RateWindow.objects.values().get()
        taken(20)

        assert RateWindow.objects.values().get() == before

    def test_it_comes_back_when_its_part_lies_outside_the_window(self) -> None:
        taken(2)
        age(5)
        taken(3)
        age(PARTS - 5)
        assert taken(1) == [False], "the first two are still in a part of it"
        age(1)
        assert taken(4) == [True, True, False, False]
        age(5)
        assert taken(4) == [True, True, True, False]
        age(10**6)
        assert taken(6) == [True] * 5 + [False]

    def test_scopes_and_lengths_of_window_are_apart(self) -> None:
        taken(5)

        assert taken(1, scope="u") == [True]
        assert taken(1, rate=Rate(5, 60)) == [True]

    def test_a_lower_limit_holds_at_once(self) -> None:
        taken(4)

        assert taken(1, rate=Rate(4, 1_000_000)) == [False]
        assert limits.take("t", Rate(2, 1_000_000)).remaining == 0
        assert taken(2) == [True, False]

    def test_several_at_once_are_all_or_none(self) -> None:
        assert limits.take("t", RATE, 3).remaining == 2
        assert not limits.take("t", RATE, 3).allowed
        assert limits.take("t", RATE, 2).allowed
        assert not limits.take("u", RATE, 6).allowed, "it never fits"
        assert limits.take("u", RATE, 5).allowed

    def test_both_ways_of_counting_say_the_same(self) -> None:
        """The statement, and `automate.lib.sliding` on what it has stored."""
        for passed in (0, 0, 1, 0, 7, 12, 0, 0, 1, 1, PARTS, 0, PARTS + 1, 0, 3):
            age(passed)
            row = RateWindow.objects.first()
            told = limits.take("t", RATE)
            if row is not None:
                before = sliding.Window(row.part, tuple(map(int, row.counts.split())))
                now = RateWindow.objects.get()
                before = before.at(now.part if told.allowed else row.part + passed)
                assert told.allowed == sliding.fits(before, RATE, 1)
                if told.allowed:
                    counted = before.plus(1).counts
                    assert now.counts == " ".join(map(str, counted))


@pytest.mark.django_db(transaction=True)
class TestStatements:
    def test_a_request_is_one_statement(self) -> None:
        limits.take("t", RATE)
        with CaptureQueriesContext(connection) as queries:
            limits.take("t", RATE)
        # SQLite: a look, and in a transaction of its own another and the count.
        assert len(queries) == (1 if connection.vendor == "postgresql" else 5)

    def test_who_is_refused_reads_once_and_writes_nothing(self) -> None:
        taken(5)
        with CaptureQueriesContext(connection) as queries:
            limits.take("t", RATE)
        assert len(queries) == 1

    @pytest.mark.postgresql
    def test_it_waits_for_no_disk_but_leaves_another_s_transaction_alone(self) -> None:
        def setting() -> str:
            with connection.cursor() as cursor:
                cursor.execute("SHOW synchronous_commit")
                return str(cursor.fetchone()[0])

        limits.take("t", RATE)
        assert setting() == "on"
        with write_transaction():
            limits.take("t", RATE)
            assert setting() == "on", "what it stores besides must be durable"


@pytest.mark.django_db(transaction=True)
def test_many_at_once_share_one_limit() -> None:
    barrier = Barrier(8)

    def ask(_: int) -> int:
        barrier.wait(timeout=60)
        try:
            return sum(taken(6, rate=Rate(20, 1_000_000)))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == 20
