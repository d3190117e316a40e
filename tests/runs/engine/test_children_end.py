"""What becomes of child runs when their parent does not wait for them any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.engine import orphans
from runs.engine.reap import SOLO_EXPIRIES, reap
from runs.maintenance import purge
from runs.models import Job, Run, StepRun
from runs.services import cancel
from tests.runs.drains import Hand, drained, draining, no_jobs, until
from tests.runs.faults import other_session
from tests.runs.flows import (
    again,
    children,
    expire,
    given,
    loop,
    node,
    publish,
    started,
    step,
)
from tests.runs.kinds import teach, told
from workflows.actions.outcomes import ErrorInfo, Fail

pytestmark = pytest.mark.usefixtures("engine")

NAP = node("nap", "delay", {"duration": 3600})


def swept() -> int:
    """Look until nothing is left to end; how many looks ended something."""
    looks = 0
    while orphans.sweep() == 0.0:
        looks += 1
    return looks


def waiting(hand: Hand, *, items: int = 3, **fields: Any) -> Run:
    """A run whose loop has started its children, which sleep."""
    each = loop("each", list(range(items)), NAP)
    run = started(publish(each, **fields))
    hand.claim()
    hand.record()
    hand.claim()
    hand.finish()
    return run


class TestCancel:
    def test_the_descendants_of_a_cancelled_run_end_within_seconds(self) -> None:
        flow = publish(loop("a", [1, 2], loop("b", [1, 2], loop("c", [1], NAP))))
        run = started(flow)
        with draining(threads=8):
            until(lambda: Run.objects.filter(depth=3).count() == 4)
            cancel(run, by=None)
            until(no_jobs)
        assert set(Run.objects.values_list("status", flat=True)) == {"cancelled"}
        assert not StepRun.objects.filter(status__in=("running", "waiting")).exists()
        assert not StepRun.objects.filter(children_left__gt=0).exists()

    def test_a_child_says_why_it_ended(self, hand: Hand) -> None:
        run = waiting(hand)
        cancel(run, by=None)
        swept()
        assert children(run)[0].error_message == (
            f"Step each of run {run.pk}, which started it, is over."
        )

    def test_to_sweep_again_changes_nothing(self, hand: Hand) -> None:
        run = waiting(hand)
        cancel(run, by=None)
        assert swept() == 1
        before = list(Run.objects.order_by("pk").values("pk", "status", "finished_at"))
        assert swept() == 0
        after = list(Run.objects.order_by("pk").values("pk", "status", "finished_at"))
        assert before == after

    def test_children_of_a_living_step_are_left_alone(self, hand: Hand) -> None:
        run = waiting(hand)
        assert swept() == 0
        assert Job.objects.filter(run__parent=run).count() == 3
        assert step(run, "each").children_left == 3

    def test_many_children_end_in_small_transactions(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(orphans, "CHILDREN_AT_ONCE", 2)
        run = waiting(hand, items=5)
        cancel(run, by=None)
        assert swept() == 3
        assert not Job.objects.exists()

    def test_what_was_never_started_is_not_waited_for(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("runs.engine.children.CHUNK", 2)
        run = started(publish(loop("each", list(range(5)), NAP)))
        hand.claim(want=1)
        hand.record()
        cancel(run, by=None)
        swept()
        assert step(run, "each").children_left == 0
        assert len(children(run)) == 2

    def test_looking_for_nothing_costs_one_query(self, hand: Hand) -> None:
        waiting(hand)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert orphans.sweep() == orphans.EVERY
        assert len(queries) == 1

    def test_a_result_that_comes_after_the_end_changes_nothing(
        self, hand: Hand
    ) -> None:
        run = started(publish(loop("each", [1], given("n", n=1))))
        hand.claim()
        hand.record()
        hand.claim()
        results = hand.perform()
        cancel(run, by=None)
        swept()
        written = hand.record(results)
        assert written.lost
        (child,) = children(run)
        assert child.status == "cancelled"

    def test_a_cancelled_item_fails_its_loop(self, hand: Hand) -> None:
        run = waiting(hand)
        cancel(children(run)[1], by=None, reason="Not needed.")
        drained()
        stored = again(run)
        assert stored.error_class == "item_failed"
        assert "was cancelled: Not needed." in stored.error_message


class TestOtherEnds:
    def test_a_run_time_out_ends_the_children_too(self, hand: Hand) -> None:
        run = waiting(hand)
        past = timezone.now() - timedelta(seconds=1)
        Run.objects.filter(pk=run.pk).update(deadline=past)
        Job.objects.filter(run=run).update(due_at=past)
        drained()
        assert again(run).error_class == "run_timeout"
        assert {child.status for child in children(run)} == {"cancelled"}

    def test_an_item_ends_at_the_deadline_of_its_parent(self, hand: Hand) -> None:
        run = waiting(hand, run_timeout=600)
        assert {child.deadline for child in children(run)} == {again(run).deadline}

    def test_a_failure_beside_the_loop_ends_its_children(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        teach(monkeypatch, fail=lambda _: Fail(ErrorInfo("no", "No.")))
        each = loop("each", [1, 2], NAP)
        run = started(publish(each, told("beside", "fail"), connections=[]))
        hand.claim()
        hand.record(hand.perform("each"))
        hand.record(hand.perform("beside"))
        drained()
        assert again(run).error_message == "Step beside: No."
        assert {child.status for child in children(run)} == {"cancelled"}

    def test_a_child_that_kills_workers_fails_its_loop(self, hand: Hand) -> None:
        run = started(publish(loop("each", [1], given("n", n=1))))
        hand.claim()
        hand.record()
        hand.claim()
        Job.objects.filter(run__parent=run).update(expiries=SOLO_EXPIRIES)
        assert reap(expire(*children(run))) == 1
        (child,) = children(run)
        assert child.error_class == "poison"
        drained()
        assert again(run).error_class == "item_failed"

    def test_poison_waits_for_a_parent_that_somebody_works_on(self, hand: Hand) -> None:
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has one writer")
        run = started(publish(loop("each", [1], given("n", n=1))))
        hand.claim()
        hand.record()
        hand.claim()
        Job.objects.filter(run__parent=run).update(expiries=SOLO_EXPIRIES)
        leases = expire(*children(run))
        job = Job.objects.get(run=run)
        with other_session() as other, other.transaction():
            other.execute("SELECT FROM runs_job WHERE id = %s FOR UPDATE", [job.pk])
            assert reap(leases) == 0
        assert reap(leases) == 1

    def test_a_broken_item_fails_alone(self, hand: Hand) -> None:
        each = loop("each", [1, 2, 3], given("n", n=1), on_item_error="continue")
        run = started(publish(each))
        hand.claim()
        hand.record()
        Run.objects.filter(pk=children(run)[1].pk).update(body=b"{")
        drained()
        output = step(run, "each").output
        assert output["results"] == [{"n": 1}, None, {"n": 1}]
        assert again(run).status == "succeeded"

    def test_an_item_that_ends_as_it_begins_counts_too(self, hand: Hand) -> None:
        run = started(publish(loop("each", [1, 2], given("n", n=1))))
        hand.claim()
        hand.record()
        past = timezone.now() - timedelta(seconds=1)
        Run.objects.filter(parent=run).update(deadline=past)
        hand.claim()  # not in this transaction: its parent's job comes before its own
        assert step(run, "each").children_left == 2
        hand.plan(*children(run))
        assert step(run, "each").children_left == 0
        drained()
        assert again(run).error_class == "item_failed"


class TestPurge:
    def test_an_ended_child_stays_until_its_parent_has_ended(self, hand: Hand) -> None:
        run = started(publish(loop("each", [1, 2], given("n", n=1), NAP)))
        hand.claim()
        hand.record()
        hand.claim()
        hand.finish()
        long_ago = timezone.now() - timedelta(days=400)
        cancelled = children(run)[0]
        Run.objects.filter(pk=cancelled.pk).update(
            status="cancelled", finished_at=long_ago
        )
        purge()
        assert len(children(run)) == 2
        cancel(run, by=None)
        purge()
        assert len(children(run)) == 1


def test_a_child_that_was_deleted_counts_as_failed(hand: Hand) -> None:
    each = loop("each", [1, 2], given("n", n=1), on_item_error="continue")
    run = started(publish(each))
    hand.claim()
    hand.record()
    hand.claim()
    hand.finish()
    children(run)[0].delete()
    drained()
    assert step(run, "each").output["failed"] == [
        {"index": 0, "run_id": None, "error": "Its run was deleted."}
    ]
