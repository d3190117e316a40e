"""Claims: who is taken first, who waits, and that nobody is taken twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from automate.lib.database import write_transaction
from automate.lib.ids import uuid7
from runs.engine.claim import Candidate, Claim, Claimer
from runs.engine.shares import pick_by_priority
from runs.models import Job, Run
from tests.runs.drains import drained, draining, together, until
from tests.runs.flows import given, many, node, publish, started
from tests.runs.kinds import teach, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def flow() -> Workflow:
    return publish(given("a"))


def crowd(workflow: Workflow, count: int, **fields: Any) -> None:
    """So many due jobs of one workflow, quickly."""
    due = fields.pop("due_at", timezone.now() - timedelta(seconds=1))
    runs = [
        Run(
            id=uuid7(),
            workflow=workflow,
            version=workflow.published,
            created_at=timezone.now(),
        )
        for _ in range(count)
    ]
    Run.objects.bulk_create(runs)
    Job.objects.bulk_create(
        Job(run=run, workflow=workflow, due_at=due, **fields) for run in runs
    )


def claim(want: int = 64, claimer: Claimer | None = None) -> Claim:
    with write_transaction():
        return (claimer or Claimer()).claim(want)


def suspect() -> Claim:
    with transaction.atomic():
        return Claimer().claim_suspect()


def owners(*claims: Claim) -> Counter[UUID]:
    return Counter(job.workflow_id for item in claims for job in item.jobs)


def aged(run: Run, seconds: float, **fields: Any) -> None:
    due = Now() - timedelta(seconds=seconds)
    Job.objects.filter(run=run).update(due_at=due, **fields)


class TestWhatIsTaken:
    def test_a_claim_leases_under_a_new_token(self, flow: Workflow) -> None:
        many(flow, 3)
        first, second = claim(2), claim(2)

        assert (len(first.jobs), len(second.jobs)) == (2, 1)
        assert first.token != second.token
        tokens = Counter(Job.objects.values_list("lease_token", flat=True))
        assert tokens == {first.token: 2, second.token: 1}
        assert not Job.objects.exclude(lease_until__gt=Now()).exists()

    def test_the_oldest_due_comes_first(self, flow: Workflow) -> None:
        runs = many(flow, 3)
        for seconds, run in zip((5, 20, 10), runs, strict=True):
            aged(run, seconds)

        order = [claim(1).jobs[0].run_id for _ in range(3)]
        assert order == [runs[1].pk, runs[2].pk, runs[0].pk]

    def test_the_future_is_left_alone(self, flow: Workflow) -> None:
        aged(started(flow), -60)

        assert claim().jobs == ()

    def test_what_is_leased_is_left_alone_even_when_its_lease_ran_out(
        self, flow: Workflow
    ) -> None:
        """Only the reaper gives it back, after two looks."""
        started(flow)
        claim()
        Job.objects.update(lease_until=Now() - timedelta(hours=1))

        assert claim().jobs == ()

    def test_suspects_are_claimed_alone(self, flow: Workflow) -> None:
        runs = many(flow, 3)
        Job.objects.filter(run__in=runs[:2]).update(expiries=1)

        assert [job.run_id for job in claim().jobs] == [runs[2].pk]
        taken = [suspect().jobs for _ in range(3)]
        assert [len(jobs) for jobs in taken] == [1, 1, 0]

    def test_the_candidate_says_what_a_drain_needs(self, flow: Workflow) -> None:
        Workflow.objects.update(max_concurrent_runs=3)
        run = started(flow)
        Job.objects.update(seq=4, signal_count=2)
        (job,) = claim().jobs

        assert (job.run_id, job.workflow_id) == (run.pk, flow.pk)
        assert (job.seq, job.signal_count, job.limit) == (4, 2, 3)
        assert job.slug == flow.slug
        assert Job.objects.get().holds_slot


class TestPriority:
    def test_a_higher_priority_comes_first(self, flow: Workflow) -> None:
        runs = many(flow, 4)
        for run, priority in zip(runs, (3, 1, 2, 0), strict=True):
            aged(run, 10, priority=priority)

        order = [claim(1).jobs[0].run_id for _ in range(4)]
        assert order == [runs[3].pk, runs[1].pk, runs[2].pk, runs[0].pk]

    def test_a_tenth_of_a_claim_goes_by_age_alone(self) -> None:
        """Shown to fail with the whole claim by priority."""
        now = timezone.now()

        def candidate(number: int, priority: int) -> Candidate:
            due = now + timedelta(seconds=number)
            flow = UUID(int=priority)
            values = (0, 0, 0, False, None, None, "", "", False, False, now)
            return Candidate(number, uuid7(), flow, priority, due, *values)

        old_and_low = [candidate(number, 3) for number in range(100)]
        young_and_high = [candidate(100 + number, 0) for number in range(100)]

        chosen = pick_by_priority(old_and_low + young_and_high, 60)

        by_age = [job.id for job in chosen if job.priority == 3]
        assert len(chosen) == 60
        assert by_age == [0, 1, 2, 3, 4, 5]

    def test_low_priority_is_not_starved(self, flow: Workflow) -> None:
        old = publish(given("a"))
        crowd(old, 10, priority=3, due_at=timezone.now() - timedelta(hours=1))
        crowd(flow, 200, priority=0)

        assert owners(claim(20))[old.pk] >= 2


class TestFairness:
    def test_one_workflow_that_fills_the_window_leaves_room_for_others(
        self, flow: Workflow
    ) -> None:
        """Shown to fail with plain claims alone."""
        crowd(flow, 400, due_at=timezone.now() - timedelta(hours=1))
        small = [publish(given("a")) for _ in range(5)]
        for item in small:
            crowd(item, 4)
        claimer = Claimer()

        taken = owners(*[claim(16, claimer) for _ in range(6)])

        assert all(taken[item.pk] == 4 for item in small), taken
        assert taken.total() == 96, "the crowd gets what the others leave"

    def test_a_crowd_at_another_priority_is_a_crowd_too(self, flow: Workflow) -> None:
        """Shown to fail when the whole window is looked at, not what is taken."""
        crowd(flow, 200, due_at=timezone.now() - timedelta(hours=1))
        low = publish(given("a"))
        crowd(low, 200, priority=3)
        neighbour = publish(given("a"))
        crowd(neighbour, 4)
        claimer = Claimer()

        assert owners(*[claim(16, claimer) for _ in range(4)])[neighbour.pk] == 4

    def test_more_workflows_than_a_look_takes_all_get_their_turn(
        self, flow: Workflow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("runs.engine.claim.WORKFLOWS", 4)
        crowd(flow, 100, due_at=timezone.now() - timedelta(hours=1))
        small = [publish(given("a")) for _ in range(10)]
        for item in small:
            crowd(item, 1)
        claimer = Claimer()

        taken = owners(*[claim(8, claimer) for _ in range(6)])

        assert all(taken[item.pk] == 1 for item in small), taken


class TestLimits:
    def test_max_concurrent_runs_bounds_what_is_taken(self) -> None:
        limited = publish(given("a"), max_concurrent_runs=3)
        many(limited, 5)

        assert len(claim().jobs) == 3
        assert claim().jobs == ()

    def test_a_waiting_run_keeps_its_slot(self) -> None:
        pause = node("pause", "delay", {"duration": 60})
        limited = publish(pause, max_concurrent_runs=1)
        many(limited, 2)
        drained(lambda: Job.objects.filter(holds_slot=True).exists())

        assert claim().jobs == ()
        Job.objects.filter(holds_slot=True).update(due_at=Now())
        assert [job.holds_slot for job in claim().jobs] == [True]

    def test_the_end_of_a_run_frees_its_slot(self) -> None:
        many(publish(given("a"), max_concurrent_runs=1), 5)

        drained()

        assert Run.objects.filter(status="succeeded").count() == 5

    @pytest.mark.parametrize("wall", [10, 60])
    def test_blocked_jobs_do_not_hide_those_behind_them(
        self, flow: Workflow, wall: int
    ) -> None:
        """Shown to fail when only a window blocked by more than half is looked
        behind: the rest of the claim then waits for the next poll."""
        limited = publish(given("a"), max_concurrent_runs=2)
        crowd(limited, wall, due_at=timezone.now() - timedelta(hours=1))
        crowd(flow, 100)

        taken = owners(claim(32))

        assert taken == {limited.pk: 2, flow.pk: 30}

    def test_one_claim_counts_a_slot_once(self) -> None:
        """Shown to fail when the look behind blocked jobs counts slots afresh."""
        wall = publish(given("a"), max_concurrent_runs=1)
        crowd(wall, 40, due_at=timezone.now() - timedelta(hours=2))
        limited = publish(given("a"), max_concurrent_runs=5)
        crowd(limited, 60, due_at=timezone.now() - timedelta(hours=1))

        taken = owners(claim(44))

        assert taken[limited.pk] == 5

    def test_the_limit_holds_while_drains_race(self) -> None:
        """Shown to fail on PostgreSQL without the advisory lock."""
        limited = publish(given("a"), max_concurrent_runs=3)
        for _ in range(20):
            Job.objects.all().delete()
            crowd(limited, 30)
            claims = together(*[lambda: claim(8)] * 4)
            held = Job.objects.filter(holds_slot=True).count()
            assert held == sum(len(item.jobs) for item in claims) <= 3


def racing(count: int, want: int) -> list[Callable[[], list[Claim]]]:
    def work() -> list[Claim]:
        claimer, found = Claimer(), []
        for _ in range(100):
            taken = claim(want, claimer)
            found.append(taken)
            if not taken.jobs and not Job.objects.filter(lease_token=None).exists():
                break
        return found

    return [work] * count


@pytest.mark.parametrize("flows", [1, 7])
def test_two_claimers_never_take_the_same_job(flows: int) -> None:
    """Shown to fail on PostgreSQL without FOR UPDATE: first the same rows are read,
    then both leases are written."""
    for _ in range(flows):
        crowd(publish(given("a")), 140 // flows)

    batches = together(*racing(4, 8))

    ids = [job.id for found in batches for item in found for job in item.jobs]
    assert len(ids) == len(set(ids)) == Job.objects.count()


def test_a_queue_that_is_never_empty_keeps_no_suspect_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shown to fail when a drain looks for suspects only after a claim that was not
    full."""

    def rest(_: Context) -> Done:
        time.sleep(0.02)
        return Done()

    teach(monkeypatch, rest=rest)
    monkeypatch.setattr("runs.engine.looks.SUSPECTS_EVERY", 0.2)
    slow = publish(told("a", "rest"))
    crowd(slow, 300)
    last = started(slow)
    with draining(threads=2):
        until(lambda: Run.objects.filter(status="succeeded").exists())
        Job.objects.filter(run=last).update(expiries=1)
        until(lambda: not Job.objects.filter(run=last).exists())
        assert Job.objects.count() > 50, "the queue was empty too soon to tell"
