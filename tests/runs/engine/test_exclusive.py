"""exclusive: runs of one key never overlap, and go in the order of their arrival."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from automate.lib.database import write_transaction
from runs.engine import exclusive, sql
from runs.engine.claim import Claim, Claimer
from runs.engine.ending import Ending, close_jobs, closings_of, end_run
from runs.engine.exclusive_key import key_of
from runs.engine.reap import SOLO_EXPIRIES, reap
from runs.models import Job, Run
from runs.services import Event, Target, accept, cancel, redrive
from runs.states import RunStatus
from tests.runs.drains import Hand, drained, in_thread, until
from tests.runs.engine.test_claim import claim
from tests.runs.flows import again, expire, given, make_due, node, publish, started
from tests.runs.kinds import teach, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")
A, B = "a" * 64, "b" * 64


@pytest.fixture
def flow() -> Workflow:
    return publish(given("a"))


def keyed(workflow: Workflow, key: str = A) -> Run:
    """A run of this exclusive key."""
    assert workflow.published_id is not None
    target = Target(workflow.pk, workflow.published_id, exclusive_key=key)
    return Run.objects.get(pk=accept(target, Event()).run_id)


class Witness:
    """The most runs of each key that were at work at once, and their order."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.most: Counter[str] = Counter()
        self.order: list[str] = []
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begins(self, run: str) -> None:
        key = self.keys[run]
        with self._lock:
            self._now[key] += 1
            self.most[key] = max(self.most[key], self._now[key])
            if run not in self.order:
                self.order.append(run)

    def ends(self, run: str) -> None:
        with self._lock:
            self._now[self.keys[run]] -= 1

    def deed(self, context: Context) -> Done:
        self.begins(context.run.id)
        time.sleep(0.002)
        self.ends(context.run.id)
        return Done()


def taken(claimed: Claim) -> list[Any]:
    return [job.run_id for job in claimed.jobs]


def finish(*runs: Run, status: RunStatus = RunStatus.SUCCEEDED) -> None:
    """End these runs as a drain does."""
    with write_transaction():
        rows = Job.objects.filter(run__in=runs).order_by("id")
        jobs = list(rows.select_for_update(no_key=True))
        now = again(runs[0]).created_at
        Run.objects.filter(pk__in=[run.pk for run in runs], status="queued").update(
            status="running", started_at=now
        )
        for run in runs:
            end_run(run.pk, Ending(status), now)
        close_jobs(closings_of(jobs, status), now)


def parked() -> int:
    return Job.objects.filter(due_at=sql.FAR).count()


class TestOneAtATime:
    def test_the_first_that_came_is_taken_and_the_others_are_parked(
        self, flow: Workflow
    ) -> None:
        runs = [keyed(flow) for _ in range(4)]

        assert taken(claim()) == [runs[0].pk]
        assert list(Job.objects.filter(holds_key=True).values_list("run", flat=True))
        assert parked() == 3
        assert claim().jobs == ()

    def test_other_keys_and_runs_without_one_are_not_held_up(
        self, flow: Workflow
    ) -> None:
        keyed(flow)
        claim()
        free = [keyed(flow, B), started(flow), keyed(publish(given("a")))]

        assert sorted(taken(claim())) == sorted(run.pk for run in free)

    def test_they_go_in_the_order_of_their_arrival(self, flow: Workflow) -> None:
        """Also when a later one was due first."""
        runs = [keyed(flow) for _ in range(4)]
        Job.objects.filter(run=runs[3]).update(due_at=Now() - timedelta(hours=1))
        order = []
        for _ in runs:
            claimed = taken(claim())
            order += claimed
            finish(*Run.objects.filter(pk__in=claimed))

        assert order == [run.pk for run in runs]

    def test_the_database_refuses_a_second_holder(self, flow: Workflow) -> None:
        keyed(flow)
        keyed(flow)

        with pytest.raises(IntegrityError):
            Job.objects.update(holds_key=True)

    def test_drains_run_them_one_after_the_other(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        witness = Witness()
        teach(monkeypatch, work=witness.deed)
        flow = publish(told("a", "work"), told("b", "work"))
        runs = [keyed(flow, key) for key in [A, B] * 10]
        for run, key in zip(runs, [A, B] * 10, strict=True):
            witness.keys[str(run.pk)] = key

        drained(count=3)

        assert Run.objects.filter(status="succeeded").count() == 20
        assert witness.most == {A: 1, B: 1}
        for first in (0, 1):  # each key by itself
            mine = [str(run.pk) for run in runs[first::2]]
            assert [run for run in witness.order if run in mine] == mine

    def test_a_holder_keeps_its_key_while_it_waits(self, hand: Hand) -> None:
        flow = publish(node("pause", "delay", {"duration": 60}), given("a"))
        first, second = keyed(flow), keyed(flow)
        hand.claim()
        hand.finish()

        assert Job.objects.get(run=first).lease_token is None, "it waits"
        assert hand.claim().claimed == 0
        make_due(first)
        hand.claim()
        hand.finish()
        assert again(first).status == "succeeded"
        assert again(second).status == "queued"
        assert hand.claim().claimed == 1


class TestRelease:
    """Whatever ends the holder, the next of its key is due at once."""

    @pytest.mark.parametrize("by", ["end", "cancel", "poison", "time-out"])
    def test_the_end_makes_the_next_one_due(self, hand: Hand, by: str) -> None:
        flow = publish(node("pause", "delay", {"duration": 60}))
        first, second, third = keyed(flow), keyed(flow), keyed(flow)
        hand.claim()
        assert parked() == 2
        if by == "end":
            finish(first)
        elif by == "cancel":
            cancel(first, by=None)
        elif by == "poison":
            Job.objects.filter(run=first).update(expiries=SOLO_EXPIRIES)
            reap(expire(first))
        else:
            hand.finish()
            Run.objects.filter(pk=first.pk).update(deadline=Now())
            make_due(first)
            hand.claim()

        assert again(first).is_final
        assert parked() == 1
        assert taken(claim()) == [second.pk]
        assert Job.objects.filter(run=third, due_at=sql.FAR).exists()

    def test_a_reaped_holder_keeps_its_key(self, flow: Workflow) -> None:
        first, _ = keyed(flow), keyed(flow)
        claim()
        reap(expire(first))

        assert claim().jobs == (), "a suspect runs alone, and holds its key"
        with transaction.atomic():
            assert taken(Claimer().claim_suspect()) == [first.pk]

    def test_the_end_of_one_that_waits_for_its_key_releases_nobody(
        self, flow: Workflow
    ) -> None:
        runs = [keyed(flow) for _ in range(3)]
        claim()
        cancel(runs[1], by=None)

        assert parked() == 1
        assert claim().jobs == ()

    @pytest.mark.postgresql
    def test_an_end_beside_a_claim_in_progress_releases_after_it(
        self, flow: Workflow
    ) -> None:
        """The claim has seen the holder and is about to park the next one.

        Shown to fail when the end does without the workflow's lock.
        """
        first, second = keyed(flow), keyed(flow)
        assert taken(claim(1)) == [first.pk]
        Job.objects.filter(run=second).update(due_at=Now())
        decided, ended = threading.Event(), threading.Event()

        def claims() -> None:
            with transaction.atomic():
                assert Claimer().claim(4).parked == 1
                decided.set()
                # The end goes as far as it gets without this transaction's commit.
                ended.wait(60)

        thread = in_thread(claims)
        assert decided.wait(60)
        ending = in_thread(lambda: finish(first))
        until(lambda: again(first).is_final)
        ended.set()
        thread.join(60)
        ending.join(60)

        assert taken(claim()) == [second.pk]

    def test_the_sweep_finds_what_a_crash_left_parked(
        self, flow: Workflow, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second = keyed(flow), keyed(flow)
        claim()
        held = keyed(flow, B), keyed(flow, B)
        claim()
        Job.objects.filter(run=first).delete()  # as if the release had been lost
        sweep = exclusive.Sweep()

        assert sweep.look() == exclusive.LOOK_AGAIN
        assert claim().jobs == (), "an end may be about to release it"
        assert not caplog.messages
        assert sweep.look() == exclusive.SWEEP_EVERY

        assert taken(claim()) == [second.pk]
        assert Job.objects.filter(run=held[1], due_at=sql.FAR).exists()
        assert [text[:17] for text in caplog.messages] == ["released 1 run(s)"]
        assert sweep.look() == exclusive.SWEEP_EVERY
        assert len(caplog.messages) == 1

    def test_the_sweep_leaves_alone_whose_turn_it_is(
        self, flow: Workflow, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The next one is due and not taken yet, with others parked behind it.

        So it is for long in a workflow at its limit of runs.
        """
        first, _, third = keyed(flow), keyed(flow), keyed(flow)
        claim()
        finish(first)
        assert Job.objects.filter(run=third, due_at=sql.FAR).exists()
        assert not Job.objects.filter(holds_key=True).exists()
        sweep = exclusive.Sweep()

        for _ in range(3):
            assert sweep.look() == exclusive.SWEEP_EVERY
        assert Job.objects.filter(run=third, due_at=sql.FAR).exists()
        assert not caplog.messages

    def test_an_arrival_finds_it_too(self, flow: Workflow) -> None:
        first, second = keyed(flow), keyed(flow)
        claim()
        Job.objects.filter(run=first).delete()
        third = keyed(flow)

        assert claim().jobs == (), "the oldest comes first"
        assert taken(claim()) == [second.pk]
        assert Job.objects.filter(run=third, due_at=sql.FAR).exists()

    def test_a_redrive_waits_for_its_key_like_any_other(self, hand: Hand) -> None:
        flow = publish(given("a"), exclusive="{{ trigger.payload.customer }}")
        assert flow.published_id is not None
        body = b'{"customer": "c-1"}'
        key = key_of(flow.exclusive, {"trigger": {"payload": {"customer": "c-1"}}})
        target = Target(flow.pk, flow.published_id, exclusive_key=key)
        event = Event(body, "application/json")
        first = Run.objects.get(pk=accept(target, event).run_id)
        hand.claim()
        hand.finish()
        assert again(first).is_final
        other = keyed(flow, key)
        assert taken(claim()) == [other.pk]

        fresh = redrive(first, by=None)

        assert Job.objects.get(run=fresh).exclusive_key == key
        assert claim().jobs == ()
        finish(other)
        assert taken(claim()) == [fresh.pk]
