"""Rate limits of connections: over all drains, exactly, and without losing anything."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from automate.lib.database import write_transaction
from automate.lib.rates import Rate, parse_rate
from runs.engine import permits
from runs.models import Job, RateBucket, Run
from tests.automate.lib.net.servers import Server
from tests.runs.drains import Hand, draining, together, until
from tests.runs.flows import (
    again,
    attempts,
    call,
    make_due,
    many,
    publish,
    started,
    step,
)
from workflows.models import Connection

pytestmark = pytest.mark.usefixtures("engine")
TEN = parse_rate("10/s")


def connect(rate: str = "", name: str = "crm") -> Connection:
    return Connection.objects.create(
        name=name,
        kind="bearer",
        allowed_hosts=["127.0.0.1"],
        credentials={"token": "t"},
        rate_limit=rate,
    )


def limited(
    key: str, receiver: Server, name: str = "crm", **more: Any
) -> dict[str, Any]:
    return call(key, receiver.url, config={"connection": name}, **more)


def take(count: int, at: float, rate: Rate = TEN, scope: str = "s") -> list[float]:
    """Permits asked for at this second, as seconds."""
    start = timezone.now().replace(microsecond=0, second=0, minute=0)
    with write_transaction():
        found = permits.take(scope, rate, count, start + timedelta(seconds=at))
    return [round((moment - start).total_seconds(), 3) for moment in found]


class TestTheBucket:
    def test_permits_are_an_interval_apart(self) -> None:
        assert take(4, 0) == [0, 0.1, 0.2, 0.3]
        assert take(2, 0.2) == [0.4, 0.5], "those given away count"
        assert take(1, 9) == [9]

    def test_a_burst_may_come_at_once_after_a_pause(self) -> None:
        rate = parse_rate("100/m")

        moments = take(12, 0, rate)

        assert sum(moment <= 0 for moment in moments) == rate.burst == 10
        assert moments[11] > moments[10] > 0

    def test_scopes_are_apart(self) -> None:
        take(50, 0, scope="a")

        assert take(1, 0, scope="b") == [0]

    @pytest.mark.parametrize("text", ["1/s", "7/s", "20/s", "100/m", "1000/h"])
    def test_no_window_holds_more_than_the_limit(self, text: str) -> None:
        """Whenever it begins, pauses before it or not."""
        rate = parse_rate(text)
        asked = [(rate.count // 3 + 1, 0.0)] * 2
        asked += [(rate.count * 2, rate.seconds * 1.7)]
        moments: list[float] = []
        for count, at in asked:
            moments += [max(moment, at) for moment in take(count, at, rate)]
        moments.sort()

        for first in range(len(moments)):
            end = moments[first] + rate.seconds - 0.002  # rounded to milliseconds
            inside = sum(moments[first] <= moment < end for moment in moments)
            assert inside <= rate.count

    def test_many_at_once_get_different_permits(self) -> None:
        results = together(*[lambda: [take(1, 0)[0] for _ in range(10)]] * 4)

        found = sorted(itertools.chain.from_iterable(results))
        assert found == [round(number * 0.1, 3) for number in range(40)]


class TestSteps:
    def test_a_step_without_a_permit_waits_and_holds_no_worker(
        self, hand: Hand, receiver: Server
    ) -> None:
        connect("1/m")
        first, second = many(publish(limited("a", receiver)), 2)
        written = hand.claim()

        assert [task.held.run_id for task in hand.tasks] == [first.pk]
        waiting = step(second, "a")
        assert (waiting.status, waiting.waiting_for) == ("waiting", "permit")
        assert (waiting.attempt, waiting.started_at) == (0, None)
        job = Job.objects.get(run=second)
        assert job.lease_token is None
        assert job.due_at == waiting.due_at
        assert [draft.released for draft in written.drafts] == [False, True]

    def test_it_begins_at_its_moment_without_asking_again(
        self, hand: Hand, receiver: Server
    ) -> None:
        connect("1/m")
        _, second = many(publish(limited("a", receiver)), 2)
        hand.claim()
        before = RateBucket.objects.get().next_at
        make_due(second)
        hand.claim()
        hand.finish()

        assert again(second).status == "succeeded"
        assert RateBucket.objects.get().next_at == before
        assert [item.number for item in attempts(second)] == [1]

    def test_every_request_counts_retries_too(
        self, hand: Hand, receiver: Server
    ) -> None:
        connect("1/m")
        run = started(publish(limited("a", receiver), limited("b", receiver)))
        hand.claim()
        hand.record()

        assert (step(run, "a").status, step(run, "b").status) == (
            "succeeded",
            "waiting",
        )
        assert step(run, "b").waiting_for == "permit"

    def test_other_branches_of_the_run_go_on(
        self, hand: Hand, receiver: Server
    ) -> None:
        connect("1/m")
        nodes = [
            limited("a", receiver),
            limited("b", receiver),
            call("c", receiver.url),
        ]
        run = started(publish(*nodes, connections=[]))
        hand.claim()

        began = sorted(task.node.id for task in hand.tasks)
        assert began == ["a", "c"]
        assert step(run, "b").waiting_for == "permit"
        hand.finish()
        assert Job.objects.get(run=run).lease_token is None

    def test_a_run_that_waits_for_a_permit_can_time_out(
        self, hand: Hand, receiver: Server
    ) -> None:
        connect("1/h")
        _, second = many(publish(limited("a", receiver)), 2)
        hand.claim()
        Run.objects.filter(pk=second.pk).update(deadline=Now())
        Job.objects.filter(run=second).update(due_at=Now())
        hand.claim()

        assert again(second).error_class == "run_timeout"
        assert step(second, "a").status == "cancelled"

    def test_without_a_limit_nothing_is_asked(
        self, hand: Hand, receiver: Server
    ) -> None:
        """The hot path has no query more."""
        connect()
        many(publish(limited("a", receiver)), 3)
        with CaptureQueriesContext(connection) as queries:
            hand.claim()

        assert len(hand.tasks) == 3
        assert not [query for query in queries if "ratebucket" in query["sql"]]

    def test_a_transaction_asks_once_a_connection(
        self, hand: Hand, receiver: Server
    ) -> None:
        connect("100/s")
        connect("100/s", name="erp")
        flow = publish(
            limited("a", receiver), limited("b", receiver, "erp"), connections=[]
        )
        many(flow, 5)
        with CaptureQueriesContext(connection) as queries:
            hand.claim()

        asked = [query for query in queries if "INTO runs_ratebucket" in query["sql"]]
        assert RateBucket.objects.count() == 2
        if connection.vendor == "postgresql":
            assert len(asked) == 2

    def test_a_limit_that_cannot_be_read_fails_the_step(
        self, hand: Hand, receiver: Server
    ) -> None:
        connect("often")
        run = started(publish(limited("a", receiver)))
        hand.claim()
        hand.finish()

        assert again(run).status == "failed"
        assert "not a rate" in step(run, "a").error_message


@pytest.mark.slow
def test_four_drains_together_keep_the_limit(receiver: Server) -> None:
    """200 steps at 20 a second: none before its permit, none lost, and in any second no
    more than the limit but for what drains were late."""
    rate = parse_rate("20/s")
    connect("20/s")
    flow = publish(*(limited(f"s{n}", receiver) for n in range(5)), connections=[])
    many(flow, 40)
    with draining(4, threads=8):
        until(lambda: not Job.objects.exists())

    assert Run.objects.filter(status="succeeded").count() == 40
    sent = sorted(
        item.started_at for run in Run.objects.all() for item in attempts(run)
    )
    assert len(sent) == 200
    last = RateBucket.objects.get().next_at  # an interval after the last permit
    permits = [last - rate.interval * (200 - place) for place in range(200)]
    late = [
        (moment - permit).total_seconds()
        for moment, permit in zip(sent, permits, strict=True)
    ]
    assert min(late) > -0.02, "nothing is early"
    assert late[-1] < 30, "nothing is kept waiting"
    second, gap = timedelta(seconds=1), rate.interval.total_seconds()
    for first in sent:
        inside = sum(first <= moment < first + second for moment in sent)
        assert inside <= rate.burst + (1 + max(late)) / gap + 1
