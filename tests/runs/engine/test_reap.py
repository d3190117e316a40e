"""I8 and poison: what becomes of the runs of workers that vanished."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from runs.engine.reap import SOLO_EXPIRIES, Reaper, reap
from runs.models import Job, Run, StepRun
from tests.automate.lib.net.servers import Server
from tests.runs.drains import Hand, drained
from tests.runs.flows import (
    again,
    attempts,
    call,
    edge,
    expire,
    given,
    logged,
    many,
    publish,
    started,
    step,
    steps,
)

pytestmark = pytest.mark.usefixtures("engine")


def vanish(hand: Hand, *runs: Run) -> int:
    """The worker of these runs is gone, and its leases have run out."""
    hand.tasks.clear()
    return reap(expire(*runs))


def job(run: Run) -> Job:
    return Job.objects.get(run=run)


def test_a_run_whose_worker_vanished_is_due_again(hand: Hand, receiver: Server) -> None:
    """I8. Shown to fail without `due_at` and the states in `reap`."""
    run = started(publish(call("notify", receiver.url)))
    hand.claim()

    assert vanish(hand, run) == 1

    assert (job(run).lease_token, job(run).expiries) == (None, 1)
    assert steps(run) == {"notify": "waiting"}
    assert step(run, "notify").interrupted
    assert [row.outcome for row in attempts(run)] == ["unknown"]
    assert "vanished during attempt 1" in logged(run)


def test_every_step_that_was_running_is_tried_again_under_its_key(
    hand: Hand, receiver: Server
) -> None:
    """I8 and I4. Shown to fail when `reap` forgets the steps that were running."""
    nodes = [call("a", receiver.url), call("b", receiver.url), given("z")]
    both = [edge("a", "z"), edge("b", "z")]
    run = started(publish(*nodes, connections=both))
    hand.claim()
    keys = {task.node.id: task.key for task in hand.tasks}
    vanish(hand, run)

    hand.claim_suspect()
    assert {task.node.id: task.key for task in hand.tasks} == keys
    assert {task.attempt for task in hand.tasks} == {2}
    hand.finish()

    assert again(run).status == "succeeded"
    assert [row.outcome for row in attempts(run, "a")] == ["unknown", "delivered"]
    assert len(receiver.requests) == 2


def test_a_finished_step_is_not_performed_again(hand: Hand, receiver: Server) -> None:
    run = started(publish(given("a", x=1), call("b", receiver.url)))
    hand.claim()
    hand.record()
    vanish(hand, run)

    hand.claim_suspect()

    assert [task.node.id for task in hand.tasks] == ["b"]
    assert step(run, "a").attempt == 1


def test_a_step_that_sends_nothing_leaves_no_attempt(hand: Hand) -> None:
    run = started(publish(given("a", x=1)))
    hand.claim()

    vanish(hand, run)

    assert attempts(run) == []


def test_a_lease_that_was_renewed_meanwhile_is_left_alone(hand: Hand) -> None:
    run = started(publish(given("a")))
    hand.claim()
    leases = expire(run)
    Job.objects.filter(run=run).update(lease_until="2999-01-01T00:00Z")

    assert reap(leases) == 0
    assert job(run).lease_token == leases[0][1]


def test_a_lease_of_another_token_is_left_alone(hand: Hand) -> None:
    run = started(publish(given("a")))
    hand.claim()
    (key, _token), *_ = expire(run)

    assert reap([(key, hand.held[run.pk].run_id)]) == 0
    assert job(run).expiries == 0


class TestTwoPasses:
    """A reaper believes in an expiry only after a heartbeat's time."""

    @pytest.fixture
    def run(self, hand: Hand) -> Run:
        run = started(publish(given("a")))
        hand.claim()
        expire(run)
        return run

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [1000.0]
        monkeypatch.setattr("runs.engine.reap.time.monotonic", lambda: now[0])
        return now

    def test_the_second_look_reaps(
        self, run: Run, clock: list[float], engine: Settings
    ) -> None:
        reaper = Reaper()
        assert reaper.look() == 0
        clock[0] += engine.HEARTBEAT
        assert reaper.look() == 1
        assert job(run).lease_token is None

    def test_two_looks_in_quick_succession_do_not(
        self, run: Run, clock: list[float], engine: Settings
    ) -> None:
        reaper = Reaper()
        reaper.look()
        clock[0] += engine.HEARTBEAT - 0.1
        assert reaper.look() == 0

    def test_what_was_seen_before_the_connection_broke_does_not_count(
        self, run: Run, clock: list[float], engine: Settings
    ) -> None:
        reaper = Reaper()
        reaper.look()
        clock[0] += engine.HEARTBEAT
        reaper.forget()
        assert reaper.look() == 0
        clock[0] += engine.HEARTBEAT
        assert reaper.look() == 1

    def test_a_renewed_lease_that_expires_again_is_seen_anew(
        self, run: Run, clock: list[float], engine: Settings
    ) -> None:
        reaper = Reaper()
        reaper.look()
        Job.objects.update(lease_until="2999-01-01T00:00Z")
        clock[0] += engine.HEARTBEAT
        reaper.look()
        expire(run)
        assert reaper.look() == 0


class TestPoison:
    def test_one_expiry_and_three_alone_end_the_run(
        self, hand: Hand, receiver: Server
    ) -> None:
        """Shown to fail when beginning a step reset `expiries`, as it once did."""
        run = started(publish(call("bomb", receiver.url)))
        hand.claim()
        vanish(hand, run)
        for expiry in range(1, SOLO_EXPIRIES + 1):
            assert job(run).expiries == expiry
            assert hand.claim().claimed == 0, "a suspect was claimed with others"
            assert hand.claim_suspect().claimed == 1
            vanish(hand, run)

        ended = again(run)
        assert (ended.status, ended.error_class) == ("failed", "poison")
        assert "4 workers in a row vanished" in ended.error_message
        assert not Job.objects.filter(run=run).exists()
        assert steps(run) == {"bomb": "cancelled"}
        assert len(attempts(run)) == SOLO_EXPIRIES + 1

    def test_a_result_proves_innocence(self, hand: Hand, receiver: Server) -> None:
        run = started(publish(call("a", receiver.url), call("b", receiver.url)))
        hand.claim()
        for _ in range(2):
            vanish(hand, run)
            hand.claim_suspect()
        assert job(run).expiries == 2

        hand.record()

        assert job(run).expiries == 0
        vanish(hand, run)
        assert job(run).expiries == 1

    def test_the_victims_of_a_poison_run_all_finish(
        self, hand: Hand, receiver: Server
    ) -> None:
        """I9: whoever was in the same hands as the poison run ends well."""
        good = many(publish(call("a", receiver.url)), 5)
        bad = started(publish(call("bomb", receiver.url)))
        hand.claim()
        vanish(hand, *good, bad)
        for _ in range(20):
            if not hand.claim_suspect().claimed:
                break
            if any(task.held.run_id == bad.pk for task in hand.tasks):
                vanish(hand, bad)
            else:
                hand.finish()

        assert {again(run).status for run in good} == {"succeeded"}
        assert again(bad).error_class == "poison"

    def test_a_drain_finishes_suspects_by_itself(self, hand: Hand) -> None:
        runs = many(publish(given("a")), 3)
        hand.claim()
        vanish(hand, *runs)

        drained()

        assert {again(run).status for run in runs} == {"succeeded"}


def test_a_broken_version_does_not_stop_the_reaper(hand: Hand) -> None:
    good = started(publish(given("a")))
    bad = started(publish(given("a")))
    hand.claim()
    StepRun.objects.filter(run=bad).update(node_id="gone")

    vanish(hand, good, bad)

    assert job(good).expiries == job(bad).expiries == 1
