"""Children that end at the same time, and transactions that are repeated."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
from django.db import connection

from runs.engine import wake
from runs.engine.ledger import DatabaseAway
from runs.engine.reap import reap
from runs.models import Job, Run, StepRun
from runs.services import cancel
from tests.runs.drains import Hand, drained, draining, no_jobs, together, until
from tests.runs.faults import deadlocks, lost_commit
from tests.runs.flows import (
    again,
    call,
    children,
    expire,
    given,
    loop,
    make_due,
    node,
    publish,
    started,
    step,
)

pytestmark = pytest.mark.usefixtures("engine")
DRAINS = 8


def at_once(runs: int, gate: threading.Barrier) -> None:
    """Claim so many runs, and record their results when all others do."""
    hand = Hand()
    try:
        hand.claim(want=runs, free=runs)
        results = hand.perform()
        gate.wait(100)
        hand.record(results)
    finally:
        hand.close()


class TestTheEnd:
    def test_a_hundred_that_end_at_once_count_once_each_and_wake_once(
        self, hand: Hand
    ) -> None:
        """Two that each counted the rest would wake nobody (docs/adr/0014)."""
        items = list(range(100))
        each = loop("each", items, given("n", n="{{ item }}"), concurrency=100)
        run = started(publish(each))
        hand.claim()
        hand.record()
        gate = threading.Barrier(DRAINS)
        together(*[partial(at_once, 13, gate)] * DRAINS, within=120)
        assert step(run, "each").children_left == 0
        job = Job.objects.get(run=run)
        assert job.signal_count == 1
        assert not Job.objects.exclude(pk=job.pk).exists()
        drained()
        assert step(run, "each").output["results"] == [{"n": n} for n in items]

    def test_each_end_lets_one_more_go_however_many_end_at_once(
        self, hand: Hand
    ) -> None:
        each = loop("each", list(range(80)), given("n", n=1), concurrency=16)
        run = started(publish(each))
        hand.claim()
        hand.record()
        for _ in range(3):
            gate = threading.Barrier(4)
            together(*[partial(at_once, 4, gate)] * 4, within=120)
            due = Job.objects.filter(run__parent=run, due_at__year__lt=9999)
            assert due.count() == 16
        assert step(run, "each").children_left == 32

    def test_children_parents_and_cancels_meet_without_a_deadlock(self) -> None:
        before = None if connection.vendor == "sqlite" else deadlocks()
        inner = loop("in", [1, 2, 3], given("n", n=1), on_item_error="continue")
        each = loop("each", list(range(8)), inner, on_item_error="continue")
        flow = publish(each, loop("beside", [1] * 8, given("m", n=1)), connections=[])
        runs = [started(flow) for _ in range(3)]

        def cancel_some() -> None:
            for _ in range(20):
                for child in Run.objects.filter(depth=1, status="running")[:2]:
                    cancel(child, by=None)

        with draining(count=1 if before is None else 4, threads=8):
            together(cancel_some, cancel_some, within=120)
            until(no_jobs, within=120)
        assert all(again(run).is_final for run in runs)
        assert not StepRun.objects.filter(children_left__gt=0).exists()
        if before is not None:
            assert deadlocks() == before


@pytest.mark.parametrize("applied", [True, False])
class TestCommitInDoubt:
    def test_of_a_start_starts_each_child_once(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch, applied: bool
    ) -> None:
        run = started(publish(loop("each", [1, 2, 3], given("n", n=1))))
        hand.claim()
        results = hand.perform()
        with lost_commit(monkeypatch, applied=applied), pytest.raises(DatabaseAway):
            hand.record(results)
        connection.close()
        hand.record(results)
        assert [child.item_index for child in children(run)] == [0, 1, 2]
        assert Job.objects.filter(run__parent=run).count() == 3
        assert step(run, "each").children_left == 3
        drained()
        assert again(run).status == "succeeded"

    def test_of_an_end_counts_once(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch, applied: bool
    ) -> None:
        run = started(publish(loop("each", [1, 2], given("n", n=1))))
        hand.claim()
        hand.record()
        hand.claim(want=1)
        results = hand.perform()
        with lost_commit(monkeypatch, applied=applied), pytest.raises(DatabaseAway):
            hand.record(results)
        connection.close()
        hand.record(results)
        assert step(run, "each").children_left == 1
        drained()
        assert step(run, "each").output["count"] == 2


class TestLostWorkers:
    def test_a_worker_that_vanishes_in_the_middle_loses_nothing(
        self, hand: Hand, receiver: Any
    ) -> None:
        run = started(publish(loop("each", [1, 2, 3, 4], call("post", receiver.url))))
        hand.claim()
        hand.record()
        hand.claim(want=2)  # and now the worker is gone
        reap(expire(*children(run)))
        drained()
        assert again(run).status == "succeeded"
        assert step(run, "each").output["count"] == 4
        keys = [header(request) for request in receiver.requests]
        assert len(keys) == len(set(keys)) == 4

    def test_a_parent_that_vanished_collects_what_ended_meanwhile(
        self, hand: Hand
    ) -> None:
        nap = node("nap", "delay", {"duration": 3600})
        flow = publish(loop("each", [1, 2], given("n", n=1)), nap, connections=[])
        run = started(flow)
        hand.claim(want=1)
        hand.record()
        Job.objects.filter(run=run).update(
            lease_token="0190a0a0-0000-7000-8000-000000000000",
            lease_until="2020-01-01T00:00Z",
        )
        hand.claim()
        hand.record()
        assert step(run, "each").children_left == 0
        assert reap(expire(run)) == 1
        make_due(run)
        drained()
        assert again(run).status == "succeeded"


def header(request: bytes) -> bytes:
    """The idempotency key that a receiver saw."""
    for line in request.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"idempotency-key":
            return value.strip()
    raise AssertionError("no key was sent")


class TestWakeUps:
    def test_the_end_of_the_last_child_tells_the_drains(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[int] = []
        monkeypatch.setattr(wake, "notify", lambda: told.append(1))
        run = started(publish(loop("each", [1, 2], given("n", n=1), concurrency=1)))
        hand.claim()
        told.clear()
        hand.record()
        assert told, "children are due"
        for _ in children(run):
            hand.claim()
            told.clear()
            hand.record()
            assert told, "the next child, or the parent, is due"

    def test_a_wake_up_that_is_lost_is_made_up_for_by_the_poll(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wake, "notify", lambda: None)
        run = started(publish(loop("each", [1, 2], given("n", n=1), concurrency=1)))
        drained()
        assert again(run).status == "succeeded"
