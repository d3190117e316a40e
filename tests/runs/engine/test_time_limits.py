"""Runs that wait, and runs whose time is over."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from runs.models import Job, Run, StepRun
from runs.services import cancel
from runs.states import RunStatus
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.runs.drains import Hand, drained, draining, until
from tests.runs.flows import (
    again,
    attempts,
    call,
    edge,
    expire,
    given,
    logged,
    make_due,
    node,
    publish,
    started,
    step,
    steps,
)

pytestmark = pytest.mark.usefixtures("engine")


def overdue(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(deadline=Now() - timedelta(seconds=1))


class TestRunTimeOut:
    """Shown to fail without `_expired` in `advance`."""

    def test_a_run_that_was_never_claimed_in_time(self, hand: Hand) -> None:
        run = started(publish(given("a")))
        overdue(run)
        hand.claim()

        ended = again(run)
        assert (ended.status, ended.error_class) == (RunStatus.FAILED, "run_timeout")
        assert not hand.tasks
        assert not Job.objects.exists()

    def test_a_waiting_run_ends_at_its_deadline_not_at_its_wait(self) -> None:
        pause = node("pause", "delay", {"duration": 600})
        run = started(publish(pause, run_timeout=1))
        drained()

        ended = again(run)
        assert (ended.status, ended.error_class) == (RunStatus.FAILED, "run_timeout")
        assert steps(run) == {"pause": "cancelled"}
        assert ended.finished_at is not None
        assert ended.deadline is not None
        assert ended.finished_at - ended.deadline < timedelta(seconds=30)

    def test_a_step_in_flight_is_not_waited_for(self) -> None:
        release = threading.Event()

        def slow(sock: socket.socket, server: Server) -> None:
            server.requests.append(read_request(sock))
            release.wait(200)
            sock.sendall(answer(body=b"{}"))

        with Server(slow) as server:
            flow = publish(call("a", server.url, timeout=250), run_timeout=3)
            run = started(flow)
            with draining() as (drain,):
                try:
                    until(lambda: not Job.objects.exists())
                finally:
                    release.set()
                ended = again(run)
                assert steps(run) == {"a": "cancelled"}
                until(lambda: attempts(run))
                assert not drain.drain._held

        assert (ended.status, ended.error_class) == (RunStatus.FAILED, "run_timeout")
        assert ended.finished_at is not None
        assert ended.deadline is not None
        assert ended.finished_at - ended.deadline < timedelta(seconds=30)
        assert again(run).finished_at == ended.finished_at
        assert "was discarded" in logged(run)

    def test_a_deadline_does_not_shorten_a_run_that_is_done(self, hand: Hand) -> None:
        run = started(publish(given("a"), run_timeout=60))
        hand.claim()
        hand.finish()
        overdue(run)
        assert again(run).status == RunStatus.SUCCEEDED


class TestWaiting:
    def test_a_waiting_run_costs_nothing(self, hand: Hand) -> None:
        run = started(publish(node("pause", "delay", {"duration": 60}), given("z")))
        hand.claim()
        hand.finish()

        job = Job.objects.get(run=run)
        assert (job.lease_token, job.lease_until) == (None, None)
        assert job.due_at == step(run, "pause").due_at
        assert again(run).status == RunStatus.RUNNING
        assert Run.objects.waiting().get() == run
        assert hand.claim().claimed == 0

    def test_its_output_counts_when_the_time_has_come(self, hand: Hand) -> None:
        nodes = [
            node("pause", "delay", {"duration": 60}),
            given("z", at="{{ steps.pause.waited_until }}"),
        ]
        run = started(publish(*nodes))
        hand.claim()
        hand.finish()
        make_due(run)
        hand.claim()
        hand.finish()

        assert again(run).status == RunStatus.SUCCEEDED
        assert step(run, "z").output["at"].endswith("Z")
        assert step(run, "pause").attempt == 1

    def test_a_run_that_is_due_within_a_second_keeps_its_lease(
        self, hand: Hand
    ) -> None:
        run = started(publish(node("pause", "delay", {"duration": 0.8})))
        hand.claim()
        (draft,) = hand.record().drafts

        assert not draft.released
        assert draft.held.due is not None
        assert Job.objects.get(run=run).lease_token is not None

    def test_other_branches_go_on_meanwhile(self, hand: Hand) -> None:
        nodes = [
            given("a"),
            node("pause", "delay", {"duration": 600}),
            given("b"),
            given("c"),
        ]
        links = [edge("a", "pause"), edge("a", "b"), edge("b", "c")]
        run = started(publish(*nodes, connections=links))
        hand.claim()
        hand.finish()

        assert steps(run) == {
            "a": "succeeded", "pause": "waiting", "b": "succeeded", "c": "succeeded",
        }  # fmt: skip
        assert Job.objects.get(run=run).lease_token is None

    def test_cancelling_beats_waiting(self) -> None:
        run = started(publish(node("pause", "delay", {"duration": 0.6}), given("z")))
        with draining():
            until(lambda: steps(run) == {"pause": "waiting"})
            assert cancel(run, by=None)
            started(publish(node("pause", "delay", {"duration": 0.7})))
            until(lambda: not Job.objects.exists())

        assert again(run).status == RunStatus.CANCELLED
        assert steps(run) == {"pause": "cancelled"}


class TestFewThreads:
    """More steps may begin than threads are free."""

    def test_only_as_many_are_marked_running(self, hand: Hand) -> None:
        """Shown to fail when `advance` begins all that the plan names."""
        flow = publish(*[given(f"s{number}") for number in range(6)], connections=[])
        run = started(flow)
        hand.claim(free=2)

        assert list(steps(run).values()) == ["running", "running"]
        assert hand.held[run.pk].starved
        hand.record(free=3)
        assert sorted(steps(run).values()) == ["running"] * 3 + ["succeeded"] * 2
        hand.finish()
        assert again(run).status == RunStatus.SUCCEEDED

    def test_less_than_no_thread_begins_nothing(self, hand: Hand) -> None:
        """Shown to fail with a slice by a negative number."""
        flow = publish(*[given(f"s{number}") for number in range(6)], connections=[])
        run = started(flow)
        hand.claim(free=1)
        results = hand.perform()
        hand.record(results, free=-2)

        assert list(steps(run).values()) == ["succeeded"]
        assert not hand.tasks

    def test_a_drain_with_one_thread_finishes_wide_runs(self) -> None:
        nodes = [given(f"s{number}") for number in range(12)]
        links = [edge(item["id"], "end") for item in nodes]
        run = started(publish(*nodes, given("end"), connections=links))
        drained(threads=1)

        assert again(run).status == RunStatus.SUCCEEDED
        assert StepRun.objects.filter(run=run, attempt=1).count() == 13


def test_a_starved_run_whose_worker_vanishes_begins_its_rest(
    hand: Hand, engine: Settings
) -> None:
    from runs.engine.reap import reap

    flow = publish(*[given(f"s{number}") for number in range(4)], connections=[])
    run = started(flow)
    hand.claim(free=2)
    hand.tasks.clear()
    reap(expire(run))
    hand.claim_suspect()
    hand.finish()

    assert again(run).status == RunStatus.SUCCEEDED
    assert set(steps(run).values()) == {"succeeded"}
