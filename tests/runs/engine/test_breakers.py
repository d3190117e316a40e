"""Breakers of connections: opened by failures, probed by one, closed by its success."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.engine import breakers, held_back
from runs.engine.judging import is_good
from runs.engine.ledger import DatabaseAway
from runs.models import Job, RateBucket, Run, StepRun
from tests.automate.lib.net.servers import (
    Handler,
    Server,
    always,
    answer,
    read_request,
)
from tests.runs.drains import Hand, draining, no_jobs, together, until
from tests.runs.faults import lost_commit
from tests.runs.flows import (
    again,
    attempts,
    call,
    logged,
    make_due,
    many,
    publish,
    started,
    step,
)
from tests.runs.kinds import sent
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Retry
from workflows.models import Breaker, Connection, Workflow
from workflows.models import breaker as breaker_rules

pytestmark = pytest.mark.usefixtures("engine")
LATER = {"initial": 3600, "max": 3600, "jitter": 0}
ERROR = ErrorInfo("Http503", "the receiver answered 503")


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], Server]]:
    servers: list[Server] = []

    def start(handler: Handler) -> Server:
        servers.append(Server(handler).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def broken(serve: Callable[[Handler], Server]) -> Server:
    """Answers 503 until its status is changed."""
    return serve(always(answer(b"", "503 Busy")))


def connect(name: str = "crm", rate: str = "") -> Connection:
    return Connection.objects.create(
        name=name,
        kind="bearer",
        allowed_hosts=["127.0.0.1"],
        credentials={"token": "t"},
        rate_limit=rate,
    )


def through(key: str, server: Server, name: str = "crm", **more: Any) -> dict[str, Any]:
    more.setdefault("retry", LATER)
    return call(key, server.url, config={"connection": name}, **more)


def tripped(hand: Hand, server: Server, count: int = 10) -> Workflow:
    """A workflow whose connection's breaker has just opened."""
    flow = publish(through("a", server))
    many(flow, count)
    hand.claim()
    hand.record()
    return flow


def breaker() -> Breaker:
    return Breaker.objects.get()


def pass_time() -> None:
    """The moment of the next probe has come."""
    Breaker.objects.update(probe_at=Now() - timedelta(seconds=1))


class TestOpening:
    def test_ten_failures_open_it_and_the_next_step_waits(
        self, hand: Hand, broken: Server
    ) -> None:
        connect()
        flow = tripped(hand, broken)
        row = breaker()
        assert row.state == "open"
        assert (
            row.last_error == "Http503: the receiver answered 503 Service Unavailable"
        )
        assert 0 < (row.probe_at - timezone.now()).total_seconds() <= 30  # type: ignore[operator]
        run = started(flow)
        written = hand.claim()

        assert hand.tasks == []
        held = step(run, "a")
        assert (held.status, held.waiting_for, held.attempt) == (
            "waiting",
            "breaker",
            0,
        )
        assert held.started_at is None
        assert held.due_at == row.probe_at
        assert [draft.released for draft in written.drafts] == [True]
        assert Job.objects.get(run=run).lease_token is None
        assert attempts(run) == []
        assert "Held back: connection crm has failed too often" in logged(run)
        assert len(broken.requests) == 10

    def test_nine_do_not(self, hand: Hand, broken: Server) -> None:
        connect()
        tripped(hand, broken, 9)

        assert breaker().state == "closed"
        assert breaker().totals() == (9, 9)

    def test_those_held_back_come_again_one_after_another(
        self, hand: Hand, broken: Server
    ) -> None:
        connect()
        many(tripped(hand, broken), 20)
        hand.claim()

        held = StepRun.objects.filter(waiting_for="breaker").order_by("due_at")
        dues = list(held.values_list("due_at", flat=True))
        probe_at = breaker().probe_at
        assert len(dues) == 20
        assert dues[0] == probe_at, "one is there when it may be probed"
        assert dues[-1] <= probe_at + timedelta(seconds=15)  # type: ignore[operator]
        assert len(set(dues)) > 15

    def test_it_says_so_once_in_a_run(self, hand: Hand, broken: Server) -> None:
        connect()
        run = started(tripped(hand, broken))
        for _ in range(3):
            make_due(run)
            hand.claim()

        assert logged(run).count("Held back") == 1

    def test_only_steps_of_the_connection_wait(
        self, hand: Hand, broken: Server, receiver: Server
    ) -> None:
        connect()
        connect("erp")
        tripped(hand, broken)
        nodes = [
            through("a", broken),
            through("b", receiver, "erp"),
            call("c", receiver.url),
        ]
        started(publish(*nodes, connections=[]))
        hand.claim()

        assert sorted(task.node.id for task in hand.tasks) == ["b", "c"]

    def test_successes_of_other_drains_count_too(
        self,
        hand: Hand,
        broken: Server,
        receiver: Server,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A path that is broken is not a receiver that is dead."""
        connect()
        other = Hand()
        many(publish(through("a", receiver)), 30)
        hand.claim()
        results = hand.perform()
        many(publish(through("a", broken)), 2)
        hand.claim()
        hand.record()  # its row counts failures now
        monkeypatch.setattr(breakers, "SELDOM", 0)
        hand.record(results)
        assert breaker().totals() == (32, 2)
        many(publish(through("a", broken)), 12)
        other.claim()
        other.record()
        other.close()

        assert breaker().totals() == (44, 14)
        assert breaker().state == "closed"

    def test_a_run_in_hand_learns_it_from_its_own_failures(
        self, hand: Hand, broken: Server
    ) -> None:
        """Its steps are planned again without its being claimed again."""
        connect()
        flow = publish(
            through("a", broken, retry={"initial": 0, "jitter": 0}), name="at once"
        )
        runs = many(flow, 10)
        hand.claim()
        hand.record()
        hand.finish()

        assert {len(attempts(run)) for run in runs} == {1}
        assert {step(run, "a").waiting_for for run in runs} <= {"breaker", "retry"}

    def test_the_deadline_of_a_run_still_counts(
        self, hand: Hand, broken: Server
    ) -> None:
        connect()
        run = started(tripped(hand, broken))
        hand.claim()
        Run.objects.filter(pk=run.pk).update(deadline=Now())
        Job.objects.filter(run=run).update(due_at=Now())
        hand.claim()

        assert again(run).error_class == "run_timeout"


class TestTheHealthy:
    def test_a_connection_that_works_costs_no_statement(
        self, hand: Hand, receiver: Server
    ) -> None:
        connect()
        many(publish(through("a", receiver)), 20)
        with CaptureQueriesContext(connection) as queries:
            hand.claim()
            hand.record()

        asked = [
            query["sql"] for query in queries if "workflows_breaker" in query["sql"]
        ]
        assert len(asked) == 1, asked  # read together with the connection
        assert "workflows_connection" in asked[0]
        assert not Breaker.objects.exists()

    def test_steps_without_a_connection_have_none(
        self, hand: Hand, broken: Server
    ) -> None:
        many(publish(call("a", broken.url, retry=LATER)), 12)
        with CaptureQueriesContext(connection) as queries:
            hand.claim()
            hand.record()

        assert not [query for query in queries if "breaker" in query["sql"]]

    def test_a_few_failures_are_not_written_each_time(
        self, hand: Hand, broken: Server, receiver: Server
    ) -> None:
        connect()
        many(publish(through("a", receiver)), 30)
        hand.claim()
        hand.record()
        with CaptureQueriesContext(connection) as queries:
            for _ in range(5):
                started(publish(through("a", broken)))
                hand.claim()
                hand.record()

        written = [
            q["sql"] for q in queries if 'UPDATE "workflows_breaker"' in q["sql"]
        ]
        assert len(written) <= 2
        assert breaker().state == "closed"

    @pytest.mark.parametrize(
        ("outcome", "good"),
        [
            (Done({}, sent()), True),
            (Done({}, sent(response_status=503)), True),
            (Done({}), None),
            (Retry(ERROR, attempt=sent(response_status=503)), False),
            (Fail(ERROR, attempt=sent(response_status=501)), False),
            (Retry(ERROR, attempt=sent(response_status=500)), False),
            (Fail(ERROR, attempt=sent(response_status=499)), True),
            (Retry(ERROR, attempt=sent(response_status=429)), True),
            (Retry(ERROR, attempt=sent(response_status=408)), True),
            (Fail(ERROR, attempt=sent(response_status=404)), True),
            *(
                (
                    Retry(ERROR, attempt=sent(response_status=None, error_kind=kind)),
                    False,
                )
                for kind in (
                    "name",
                    "connect",
                    "tls",
                    "timeout",
                    "reset",
                    "protocol",
                    "token",
                )
            ),
            *(
                (Fail(ERROR, attempt=sent(response_status=None, error_kind=kind)), None)
                for kind in ("blocked", "redirect", "unwanted", "token")
            ),
            (Fail(ERROR), None),
        ],
    )
    def test_what_counts_as_a_failure(self, outcome: Any, good: bool | None) -> None:
        assert is_good(outcome) is good


class TestTheProbe:
    def test_one_step_goes_and_the_others_wait(
        self, hand: Hand, broken: Server
    ) -> None:
        connect()
        many(tripped(hand, broken), 5)
        pass_time()
        hand.claim()

        assert len(hand.tasks) == 1
        assert breaker().state == "probing"
        assert StepRun.objects.filter(waiting_for="breaker").count() == 4

    def test_two_drains_take_one_between_them(self, hand: Hand, broken: Server) -> None:
        connect()
        flow = tripped(hand, broken)
        hands = [Hand() for _ in range(4)]
        for _ in range(3):
            many(flow, 8)
            pass_time()
            Breaker.objects.update(state="open", probe_run=None, probe_node="")
            together(*[lambda h=one: h.claim(2) for one in hands])
            begun = list(itertools.chain.from_iterable(one.tasks for one in hands))
            assert len(begun) == 1
            for one in hands:
                one.tasks = []
        for one in hands:
            one.close()

    def test_its_failure_doubles_the_pause_up_to_ten_minutes(
        self, hand: Hand, broken: Server
    ) -> None:
        connect()
        flow = tripped(hand, broken)
        pauses = []
        for _ in range(6):
            pass_time()
            started(flow)
            hand.claim()
            hand.record()
            row = breaker()
            assert row.state == "open"
            pauses.append(row.pause)
            left = (row.probe_at - timezone.now()).total_seconds()  # type: ignore[operator]
            assert row.pause - 30 < left <= row.pause

        assert pauses == [60, 120, 240, 480, 600, 600]
        assert len(broken.requests) == 16

    def test_its_success_closes(
        self, hand: Hand, broken: Server, receiver: Server
    ) -> None:
        connect()
        tripped(hand, broken)
        first, second = many(publish(through("a", receiver)), 2)
        pass_time()
        hand.claim()
        hand.record()
        row = breaker()
        assert (row.state, row.opened_at, row.pause, row.slots) == (
            "closed",
            None,
            30,
            [],
        )
        assert again(first).status == "succeeded"
        assert "its breaker is closed" in logged(first)
        make_due(second)
        hand.claim()
        hand.finish()

        assert again(second).status == "succeeded"

    def test_answers_of_steps_in_flight_change_nothing(
        self, hand: Hand, broken: Server, receiver: Server
    ) -> None:
        connect()
        slow = started(publish(through("a", receiver)))
        hand.claim()
        results = hand.perform()
        tripped(hand, broken)
        hand.record(results)

        assert again(slow).status == "succeeded"
        assert breaker().state == "open"

    def test_a_probe_that_is_never_heard_of_again_is_replaced(
        self, hand: Hand, broken: Server
    ) -> None:
        connect()
        flow = tripped(hand, broken)
        started(flow)
        pass_time()
        hand.claim()
        row = breaker()
        left = (row.probe_at - timezone.now()).total_seconds()  # type: ignore[operator]
        assert 30 < left <= 65, "its time-out of 5 s and a margin"
        pass_time()
        other = started(flow)
        successor = Hand()
        successor.claim()
        successor.close()

        assert [task.held.run_id for task in successor.tasks] == [other.pk]

    def test_a_probe_that_was_not_made_is_given_back(
        self, hand: Hand, broken: Server
    ) -> None:
        connect()
        run = started(tripped(hand, broken))
        pass_time()
        hand.claim()
        hand.held[run.pk].lease_ends = time.monotonic()
        results = hand.perform()
        hand.record(results, free=0)
        row = breaker()

        assert len(broken.requests) == 10
        assert (row.state, row.pause) == ("open", 30)
        assert row.probe_at <= timezone.now()  # type: ignore[operator]

    def test_its_answer_outlives_a_turn_that_was_rolled_back(
        self,
        hand: Hand,
        broken: Server,
        receiver: Server,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Shown to fail where the turn itself changes what the drain knows: the probe
        is none any more when it is repeated, and its row stays until it expires."""
        connect()
        tripped(hand, broken)
        run = started(publish(through("a", receiver)))
        pass_time()
        hand.claim()
        results = hand.perform()
        with lost_commit(monkeypatch, applied=False), pytest.raises(DatabaseAway):
            hand.record(results)
        connection.close()
        assert breaker().state == "probing"
        hand.record(results)

        assert again(run).status == "succeeded"
        assert breaker().is_closed
        assert logged(run).count("its breaker is closed") == 1

    def test_what_a_turn_counted_whose_commit_was_in_doubt_is_counted_once(
        self, hand: Hand, broken: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Shown to fail when a resolved doubt leaves the counts in memory."""
        connect()
        flow = publish(through("a", broken))
        many(flow, 3)
        hand.claim()
        results = hand.perform()
        with lost_commit(monkeypatch, applied=True), pytest.raises(DatabaseAway):
            hand.record(results)
        connection.close()
        hand.record(results)
        many(flow, 2)
        hand.claim()
        hand.record()

        assert breaker().totals() == (5, 5)

    def test_one_without_a_permit_is_made_when_it_has_one(
        self, hand: Hand, broken: Server
    ) -> None:
        link = connect()
        run = started(tripped(hand, broken))
        later = timezone.now() + timedelta(hours=1)
        RateBucket.objects.create(scope=f"connection:{link.pk}", next_at=later)
        Connection.objects.update(rate_limit="1/h")
        pass_time()
        hand.claim()
        assert hand.tasks == []
        assert step(run, "a").waiting_for == "permit"
        assert breaker().state == "probing"
        make_due(run)
        hand.claim()

        assert [task.held.run_id for task in hand.tasks] == [run.pk]

    def test_it_uses_up_an_attempt_like_any_request(
        self, hand: Hand, broken: Server
    ) -> None:
        connect()
        run = started(tripped(hand, broken))
        pass_time()
        hand.claim()
        hand.record()

        assert [row.number for row in attempts(run)] == [1]
        assert step(run, "a").waiting_for == "retry"


class TestAfterwards:
    def test_held_steps_are_told_in_portions(
        self, hand: Hand, broken: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(held_back, "PORTION", 2)
        connect()
        runs = many(tripped(hand, broken), 5)
        hand.claim()
        row = breaker()
        row.close()
        row.save()
        told = []
        while breaker().wake_after is not None:
            assert held_back.sweep() == held_back.EVERY
            told.append(Job.objects.filter(run__in=runs, due_at__lte=Now()).count())

        assert told == [2, 4, 5]
        assert held_back.sweep() == held_back.LOOK

    def test_a_connection_that_was_deleted_meanwhile_fails_no_transaction(
        self, hand: Hand, broken: Server
    ) -> None:
        connect()
        runs = many(publish(through("a", broken)), 12)
        hand.claim()
        results = hand.perform()
        Connection.objects.all().delete()
        hand.record(results)

        assert {step(run, "a").waiting_for for run in runs} == {"retry"}


@pytest.mark.slow
def test_a_dead_receiver_leaves_the_workers_to_others(
    serve: Callable[[Handler], Server], receiver: Server
) -> None:
    """200 runs whose receiver never answers, beside a workflow that is well."""

    def hang(_: Any, server: Server) -> None:
        server.done.wait(300)

    dead = serve(hang)
    connect()
    lost = publish(through("a", dead, timeout=5))
    well = publish(call("a", receiver.url))

    def attempted() -> int:
        return sum(len(attempts(run)) for run in Run.objects.filter(workflow=lost))

    def seconds() -> float:
        begun = time.monotonic()
        many(well, 100)
        until(lambda: not Job.objects.filter(workflow=well).exists())
        return time.monotonic() - begun

    with draining(2, threads=8):
        alone = seconds()
        many(lost, 200)
        until(lambda: Breaker.objects.filter(state="open").exists())
        tried = attempted()
        beside = seconds()
        after = attempted()

    assert after <= 40, "those in flight when it opened, a probe, and no more"
    assert after - tried <= 16
    # Sixteen threads would hang in the lost ones for more than a minute.
    assert beside < 3 * alone + 30
    assert not StepRun.objects.filter(run__workflow=lost, attempt__gt=1).exists()


@pytest.mark.slow
def test_when_it_recovers_everything_goes_on(
    serve: Callable[[Handler], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real drains through a whole outage: nothing is lost, no attempt is used up."""
    monkeypatch.setattr(breaker_rules, "FIRST_PAUSE", 1)
    state = {"status": "503 Busy"}

    def moody(sock: Any, server: Server) -> None:
        while request := read_request(sock):
            server.requests.append(request)
            sock.sendall(answer(b"", state["status"]))

    server = serve(moody)
    connect()
    flow = publish(through("a", server, retry={"initial": 1, "max_attempts": 3}))
    many(flow, 60)
    with draining(2, threads=8):
        until(lambda: Breaker.objects.filter(state="open").exists())
        tried = len(server.requests)
        time.sleep(2)
        assert len(server.requests) - tried <= 20
        state["status"] = "200 OK"
        until(no_jobs, within=90)

    assert set(Run.objects.values_list("status", flat=True)) == {"succeeded"}
    assert breaker().is_closed
