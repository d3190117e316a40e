"""The run time-out of runs that no claim may take: it ends them all the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from runs.engine import overdue as engine_overdue
from runs.engine import sql
from runs.engine.ending import end_run
from runs.engine.locks import lock_runs
from runs.engine.overdue import Overdue
from runs.models import FinishedRun, Job, Run
from runs.states import RunStatus
from tests.runs.drains import Hand, draining, together, until
from tests.runs.engine.test_claim import crowd
from tests.runs.engine.test_exclusive import keyed
from tests.runs.flows import (
    again,
    calling,
    children,
    given,
    loop,
    many,
    node,
    publish,
    started,
    step,
    steps,
)
from workflows.models import Trigger

pytestmark = pytest.mark.usefixtures("engine")
PAUSE = node("pause", "delay", {"duration": 600})


def pass_deadline(*runs: Run) -> None:
    ids = [run.pk for run in runs]
    Run.objects.filter(pk__in=ids).update(deadline=Now() - timedelta(seconds=1))


def timed_out(run: Run) -> bool:
    run = again(run)
    return (run.status, run.error_class) == (RunStatus.FAILED, "run_timeout")


@pytest.fixture
def parked(hand: Hand) -> list[Run]:
    """Three runs of one key: one that waits long, and two behind it."""
    flow = publish(PAUSE)
    runs = [keyed(flow) for _ in range(3)]
    hand.claim()
    hand.finish()
    assert Job.objects.filter(due_at=sql.FAR).count() == 2
    return runs


class TestWhatIsEnded:
    def test_a_run_that_is_parked_behind_its_exclusive_key(
        self, parked: list[Run]
    ) -> None:
        pass_deadline(parked[1])
        Overdue().look()
        assert [timed_out(run) for run in parked] == [False, True, False]
        ended = again(parked[1])
        assert ended.error_message == (
            f"The run did not end by {ended.deadline:%Y-%m-%d %H:%M:%S} UTC, its "
            "workflow's run time-out."
        )
        assert ended.error_fingerprint
        assert not Job.objects.filter(run=parked[1]).exists()

    def test_a_run_without_a_slot(self, hand: Hand) -> None:
        flow = publish(PAUSE, max_concurrent_runs=1)
        first, second = many(flow, 2)
        hand.claim()
        hand.finish()
        pass_deadline(second)
        assert hand.claim().claimed == 0
        Overdue().look()
        assert timed_out(second)
        assert not timed_out(first)

    def test_a_run_whose_turn_has_not_come_for_want_of_workers(self) -> None:
        run = started(publish(given("a")))
        pass_deadline(run)
        Overdue().look()
        assert timed_out(run)

    def test_drains_do_it_by_themselves(self, parked: list[Run]) -> None:
        pass_deadline(parked[2])
        with draining():
            until(lambda: timed_out(parked[2]))
        assert not timed_out(parked[1])


class TestWhatIsLeft:
    def test_a_run_in_a_drains_hands(self, hand: Hand) -> None:
        """Its drain sees to the deadline itself, and knows what is in flight."""
        run = started(publish(given("a")))
        hand.claim()
        pass_deadline(run)
        Overdue().look()
        assert again(run).status == RunStatus.RUNNING

    def test_a_run_that_was_claimed_just_before_its_lock(
        self, monkeypatch: pytest.MonkeyPatch, hand: Hand
    ) -> None:
        run = started(publish(given("a")))
        pass_deadline(run)

        def claimed_first(ids: Any) -> list[Job]:
            Job.objects.filter(run=run).update(lease_token=run.pk, lease_until=Now())
            return lock_runs(ids)

        monkeypatch.setattr("runs.engine.overdue.lock_runs", claimed_first)
        Overdue().look()
        assert again(run).status == RunStatus.QUEUED

    def test_runs_with_time_left_and_runs_without_a_deadline(self) -> None:
        runs = many(publish(given("a")), 2)
        Run.objects.filter(pk=runs[1].pk).update(deadline=None)
        Overdue().look()
        assert Run.objects.filter(status="queued").count() == 2


class TestWhatFollows:
    def test_the_next_run_of_the_key_is_made_due(self, parked: list[Run]) -> None:
        """The holder's own deadline, while a slot or a turn keeps it from a claim."""
        pass_deadline(parked[0])
        Overdue().look()
        assert timed_out(parked[0])
        assert steps(parked[0]) == {"pause": "cancelled"}
        due = Job.objects.exclude(due_at=sql.FAR)
        assert list(due.values_list("run", flat=True)) == [parked[1].pk]

    def test_its_children_end_with_it(self, hand: Hand) -> None:
        run = started(publish(loop("each", [1, 2], PAUSE)))
        hand.claim()
        hand.finish()
        hand.claim()
        hand.finish()
        Job.objects.filter(run=run).update(due_at=sql.FAR)  # as if no claim took it
        pass_deadline(run)
        with draining():
            until(lambda: not Job.objects.exists())
        assert timed_out(run)
        assert {again(child).status for child in children(run)} == {"cancelled"}

    def test_its_parent_counts_it(self, hand: Hand) -> None:
        callee = publish(PAUSE)
        run = started(publish(calling("call", callee.slug)))
        hand.claim()
        hand.finish()
        (child,) = children(run)
        pass_deadline(child)
        Overdue().look()
        assert timed_out(child)
        assert step(run, "call").children_left == 0
        with draining():
            until(lambda: again(run).is_final)
        assert again(run).error_class == "child_failed"

    def test_triggers_hear_of_it(self) -> None:
        flow = publish(given("a"))
        Trigger.objects.create(workflow=publish(given("b")), kind="run_finished")
        run = started(flow)
        pass_deadline(run)
        Overdue().look()
        assert FinishedRun.objects.filter(run_id=run.pk).exists()

    def test_two_drains_at_once_end_each_run_once(self) -> None:
        runs = many(publish(given("a")), 20)
        pass_deadline(*runs)
        together(*[Overdue().look] * 2)
        assert all(timed_out(run) for run in runs)
        assert not Job.objects.exists()

    def test_one_that_cannot_be_ended_holds_up_no_other(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs = many(publish(given("a")), 3)
        pass_deadline(*runs)

        def breaks(run_id: Any, *rest: Any) -> bool:
            if run_id == runs[1].pk:
                raise ValueError("odd data")
            return end_run(run_id, *rest)

        monkeypatch.setattr("runs.engine.overdue.end_run", breaks)
        Overdue().look()
        assert [timed_out(run) for run in runs] == [True, False, True]


class TestPages:
    def test_every_job_is_looked_at_in_turn(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_overdue, "PAGE", 4)
        runs = many(publish(given("a")), 10)
        pass_deadline(runs[9])
        chore = Overdue()
        pauses = [chore.look() for _ in range(3)]
        assert pauses == [engine_overdue.NEXT, engine_overdue.NEXT, 0.0]
        assert timed_out(runs[9])
        pauses = [chore.look() for _ in range(3)]
        assert pauses == [engine_overdue.EVERY, *[engine_overdue.NEXT] * 2]

    def test_more_than_one_transaction_ends_follow_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_overdue, "AT_ONCE", 3)
        runs = many(publish(given("a")), 7)
        pass_deadline(*runs)
        chore = Overdue()
        assert [chore.look() for _ in range(3)] == [0.0, 0.0, 0.0]
        assert all(timed_out(run) for run in runs)

    def test_a_look_asks_twice_however_long_the_queue_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine_overdue, "PAGE", 10)
        crowd(publish(given("a")), 100)
        chore = Overdue()
        for _ in range(3):
            with CaptureQueriesContext(connection) as asked:
                assert chore.look() == engine_overdue.NEXT
            assert len(asked) == 2
