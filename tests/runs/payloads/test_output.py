"""The output of a run that a thread renders, whatever happens meanwhile."""

from __future__ import annotations

import pytest

from automate.lib.payloads import PayloadStore, opened
from runs.engine.output import NODE_ID
from runs.engine.task import Dropped, Interrupted, Result
from runs.models import Job, Run, StepRun
from runs.services import cancel
from tests.runs.drains import Hand
from tests.runs.flows import again, expire, given, publish, started, steps
from tests.runs.payloads.stored import BIG, all_in, is_moved

pytestmark = [
    pytest.mark.usefixtures("engine", "limits"),
    pytest.mark.parametrize("store", ["memory"], indirect=True),
]


@pytest.fixture
def run(engine: None, limits: None, store: PayloadStore, hand: Hand) -> Run:
    """A run whose only step is done and whose output waits for a thread."""
    workflow = publish(given("a", n=1), output="{{ trigger.payload.text }}")
    run = started(workflow, {"text": BIG})
    hand.claim()
    hand.record()
    assert [task.node.id for task in hand.tasks] == [NODE_ID]
    assert again(run).status == "running"
    return run


def ended_well(run: Run) -> bool:
    stored = again(run)
    assert is_moved(stored, "output")
    assert not Job.objects.filter(run=run).exists()
    return stored.status == "succeeded" and opened(stored.output) == BIG


def test_it_is_no_step(run: Run, hand: Hand) -> None:
    hand.finish()

    assert ended_well(run)
    assert steps(run) == {"a": "succeeded"}
    assert not StepRun.objects.filter(node_id=NODE_ID).exists()


def test_planning_again_meanwhile_begins_no_second_one(run: Run, hand: Hand) -> None:
    hand.plan(run)
    hand.plan(run)

    assert len(hand.tasks) == 1
    hand.finish()
    assert ended_well(run)


@pytest.mark.parametrize("outcome", [Dropped(), Interrupted()], ids=["lease", "stop"])
def test_what_was_cut_off_is_done_by_whoever_claims_the_run(
    run: Run, hand: Hand, outcome: Dropped | Interrupted
) -> None:
    (task,) = hand.tasks
    hand.tasks = []

    hand.record([Result(task.held, NODE_ID, 1, outcome)])

    assert Job.objects.get(run=run).lease_token is None
    hand.claim()
    hand.finish()
    assert ended_well(run)


def test_without_a_free_thread_it_waits_for_one(
    hand: Hand, store: PayloadStore
) -> None:
    workflow = publish(given("a", n=1), output="{{ trigger.payload.text }}")
    run = started(workflow, {"text": BIG})
    hand.claim()

    hand.record(free=0)

    assert hand.tasks == []
    held = hand.held[run.pk]
    assert held.starved
    assert Job.objects.get(run=run).lease_token == held.token
    hand.plan(run, free=1)
    hand.finish()
    assert ended_well(run)


def test_a_run_that_was_cancelled_meanwhile_stays_cancelled(
    run: Run, hand: Hand, store: PayloadStore
) -> None:
    results = hand.perform()
    assert cancel(again(run), by=None)

    hand.record(results)

    assert again(run).status == "cancelled"
    assert again(run).output is None
    assert len(all_in(store)) == 2  # the second is an orphan, for the next day's purge


def test_a_lease_that_was_lost_leaves_the_end_to_the_next_holder(
    run: Run, hand: Hand
) -> None:
    results = hand.perform()
    expire(run)
    Job.objects.filter(run=run).update(lease_token=None, lease_until=None)

    written = hand.record(results)

    assert [held.run_id for held, _ in written.lost] == [run.pk]
    assert again(run).status == "running"
    hand.tasks = []
    hand.claim()
    hand.finish()
    assert ended_well(run)


def test_a_large_output_of_small_values_is_stored_by_a_thread_too(
    hand: Hand, store: PayloadStore
) -> None:
    part = "p" * 400
    workflow = publish(
        given("a", text=part),
        output=[f"{{{{ steps.a.text }}}}{number}" for number in range(5)],
    )
    run = started(workflow, {"n": 1})
    hand.claim()
    hand.record()
    assert all_in(store) == set()

    hand.finish()

    assert again(run).status == "succeeded"
    assert is_moved(again(run), "output")
    assert opened(again(run).output) == [f"{part}{number}" for number in range(5)]
