"""max_concurrent_runs: never more at work than the limit, and slots given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from runs.engine.claim import Claimer
from runs.engine.exclusive_key import key_of
from runs.models import Job, Run
from runs.states import RunStatus
from tests.runs.drains import Hand, drained, together
from tests.runs.engine.test_claim import claim, crowd
from tests.runs.engine.test_exclusive import finish, keyed
from tests.runs.flows import (
    again,
    calling,
    given,
    loop,
    make_due,
    many,
    node,
    publish,
    started,
    step,
)
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")
LIMIT = 3


class Gauge:
    """How many runs were at work at once, at most."""

    def __init__(self) -> None:
        self.most = self.now = self.all = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.now += count
            self.all += max(count, 0)
            self.most = max(self.most, self.now)


def working(gauge: Gauge) -> Callable[[], None]:
    """Takes what it gets and ends it, until nothing is left."""

    def work() -> None:
        claimer = Claimer()
        while Job.objects.exists():
            runs = [job.run_id for job in claim(4, claimer).jobs]
            gauge.add(len(runs))
            if runs:
                time.sleep(0.002)  # the work
                # Before the end is committed: then the slots are others' already.
                gauge.add(-len(runs))
                finish(*Run.objects.filter(pk__in=runs))

    return work


@pytest.mark.slow
def test_fifty_rounds_of_eight_claimers_never_exceed_the_limit() -> None:
    """Witnessed where the runs are, not in the column that is to be tested.

    Shown to fail on PostgreSQL without the workflow's lock.
    """
    limited = publish(given("a"), max_concurrent_runs=LIMIT)
    gauge = Gauge()
    rounds = 50 if connection.vendor == "postgresql" else 5  # it has one writer
    for _ in range(rounds):
        crowd(limited, 6)
        together(*[working(gauge)] * 8)

    assert gauge.all == 6 * rounds
    assert 1 < gauge.most <= LIMIT


class TestSlots:
    @pytest.fixture
    def waits(self) -> Workflow:
        config = {"timeout": "1h"}
        return publish(node("ask", "approval", config), max_concurrent_runs=1)

    def test_a_run_that_waits_for_a_person_gives_up_its_slot(
        self, hand: Hand, waits: Workflow
    ) -> None:
        first, second = many(waits, 2)
        hand.claim()
        hand.finish()

        job = Job.objects.get(run=first)
        assert (job.lease_token, job.holds_slot) == (None, False)
        assert [item.run_id for item in claim().jobs] == [second.pk]

    def test_it_goes_on_when_a_slot_is_free_again(
        self, hand: Hand, waits: Workflow
    ) -> None:
        first, second = many(waits, 2)
        hand.claim()
        hand.finish()
        assert [item.run_id for item in claim().jobs] == [second.pk]
        make_due(first)

        assert claim().jobs == ()
        finish(second, status=RunStatus.CANCELLED)
        assert [item.run_id for item in claim().jobs] == [first.pk]
        assert Job.objects.get(run=first).holds_slot

    def test_a_run_that_waits_by_the_clock_keeps_its_slot(self, hand: Hand) -> None:
        pause = node("pause", "delay", {"duration": 60})
        first, _ = many(publish(pause, max_concurrent_runs=1), 2)
        hand.claim()
        hand.finish()

        job = Job.objects.get(run=first)
        assert (job.lease_token, job.holds_slot) == (None, True)
        assert claim().jobs == ()

    def test_a_run_whose_items_need_the_slot_gives_it_up_beside_a_delay(
        self, hand: Hand
    ) -> None:
        """Else they would wait for the delay of the run that waits for them."""
        pause = node("pause", "delay", {"duration": 600})
        each = loop("each", [1, 2], given("a", n=1))
        flow = publish(pause, each, connections=[], max_concurrent_runs=1)
        run = started(flow)
        hand.claim()
        hand.finish()

        job = Job.objects.get(run=run)
        assert (job.lease_token, job.holds_slot) == (None, False)
        drained(lambda: step(run, "each").status == "succeeded")
        assert again(run).status == "running", "the delay goes on"

    def test_a_key_is_kept_where_a_slot_is_given_up(
        self, hand: Hand, waits: Workflow
    ) -> None:
        """Exclusive runs never overlap, waits for people included."""
        first, second = keyed(waits), keyed(waits)
        hand.claim()
        hand.finish()

        job = Job.objects.get(run=first)
        assert (job.holds_slot, job.holds_key) == (False, True)
        assert claim().jobs == ()
        assert again(second).status == "queued"

    def test_who_gets_no_slot_takes_no_key(self) -> None:
        limited = publish(given("a"), max_concurrent_runs=1)
        runs = [keyed(limited, "a"), keyed(limited, "b"), keyed(limited, "b")]

        assert [item.run_id for item in claim().jobs] == [runs[0].pk]
        assert Job.objects.filter(holds_key=True).count() == 1
        finish(runs[0])
        assert [item.run_id for item in claim().jobs] == [runs[1].pk]


class TestRunsThatRunsStart:
    def started(self, hand: Hand, exclusive: str) -> tuple[Run, Run]:
        """A run that waits for a run of an exclusive workflow, and that one."""
        callee = publish(given("a"), exclusive=exclusive)
        run = started(publish(calling("sub", callee.slug, {"customer": "c-1"})))
        hand.claim()
        hand.record()
        return run, Run.objects.get(workflow=callee)

    def test_they_have_the_key_that_an_event_would_have(self, hand: Hand) -> None:
        _, child = self.started(hand, "{{ trigger.payload.customer }}")

        scope = {"trigger": {"payload": {"customer": "c-1"}}}
        key = key_of("{{ trigger.payload.customer }}", scope)
        assert Job.objects.get(run=child).exclusive_key == key

    def test_an_exclusive_that_fails_fails_the_step(self, hand: Hand) -> None:
        callee = publish(given("a"), exclusive="{{ trigger.payload.n / 0 }}")
        run = started(publish(calling("sub", callee.slug, {"n": 1})))
        hand.claim()
        hand.finish()

        assert again(run).error_class == "workflow_refused"
        assert "exclusive" in again(run).error_message

    def test_a_run_does_not_wait_for_one_that_waits_for_it(self, hand: Hand) -> None:
        flow = publish(
            given("a"), exclusive="{{ variables.one }}", variables={"one": 1}
        )
        publish(calling("sub", flow.slug), workflow=flow, variables={"one": 1})
        run = keyed(flow, key_of("{{ 1 }}", {}))
        hand.claim()
        hand.finish()

        assert again(run).error_class == "workflow_refused"


@pytest.mark.postgresql
def test_a_contended_claim_says_so() -> None:
    """Then it is made again in milliseconds, not at the next poll."""
    limited = publish(given("a"), max_concurrent_runs=5)
    many(limited, 2)
    counted, done = threading.Event(), threading.Event()

    def holds() -> None:
        with transaction.atomic():
            assert len(Claimer().claim(1).jobs) == 1
            counted.set()
            done.wait(60)

    def looks() -> None:
        assert counted.wait(60)
        try:
            found = claim(1)
            assert (found.jobs, found.contended) == ((), True)
        finally:
            done.set()

    together(holds, looks)
    found = claim(1)
    assert (len(found.jobs), found.contended) == (1, False)
