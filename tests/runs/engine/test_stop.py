"""Stopping: what is in flight ends or is handed back; nothing is lost or counted."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from pytest_django import Settings

from runs.engine.shift import Reason
from runs.models import Job, StepRun, Worker
from runs.states import RunStatus
from tests.automate.lib.net.servers import Server, answer, read_request, stall
from tests.runs.drains import Draining, drained, draining, until
from tests.runs.flows import (
    again,
    attempts,
    call,
    given,
    many,
    node,
    publish,
    started,
    step,
    steps,
)
from tests.runs.kinds import told

pytestmark = pytest.mark.usefixtures("engine")


def slowly(seconds: float) -> Any:
    def handle(sock: Any, server: Server) -> None:
        while request := read_request(sock):
            server.requests.append(request)
            time.sleep(seconds)
            sock.sendall(answer())

    return handle


def handed_back() -> bool:
    jobs = Job.objects.values_list("lease_token", "lease_until", "expiries")
    return set(jobs) == {(None, None, 0)}


class TestStop:
    def test_what_is_in_flight_ends_and_nothing_new_begins(
        self, engine: Settings
    ) -> None:
        engine.GRACE = 60
        with Server(slowly(0.6)) as server:
            flow = publish(call("a", server.url), call("b", server.url))
            runs = many(flow, 3)
            drain = Draining()
            server.wait_for_requests(3)

            assert drain.stop() is Reason.STOPPED

            assert len(server.requests) == 3
            assert [steps(run) for run in runs] == [{"a": "succeeded"}] * 3
            assert handed_back()
            assert not drain.drain.stuck
            drained()
            assert len(server.requests) == 6
        assert {again(run).status for run in runs} == {RunStatus.SUCCEEDED}

    def test_after_the_grace_time_attempts_are_unknown_and_leases_cleared(
        self, engine: Settings
    ) -> None:
        """Shown to fail without `hand_back`."""
        engine.GRACE = 0.3
        with Server(stall) as server:
            run = started(publish(call("a", server.url, timeout=200)))
            drain = Draining()
            server.wait_for_requests(1)
            began = time.monotonic()
            assert drain.stop() is Reason.STOPPED
            assert time.monotonic() - began < 40

        (attempt,) = attempts(run)
        assert (attempt.outcome, attempt.error_kind) == ("unknown", "interrupted")
        assert steps(run) == {"a": "waiting"}
        assert step(run, "a").interrupted
        assert handed_back()

    def test_being_cut_off_is_no_try_of_the_steps(self, engine: Settings) -> None:
        """Shown to fail when the cut connection's error is recorded as the answer: the
        only attempt is used up, and our own stop is the end of the run."""
        engine.GRACE = 0.2
        once = {"max_attempts": 1}

        def first_never(sock: Any, server: Server) -> None:
            while request := read_request(sock):
                server.requests.append(request)
                if len(server.requests) == 1:
                    server.done.wait(200)
                    return
                sock.sendall(answer())

        with Server(first_never) as server:
            run = started(publish(call("a", server.url, timeout=200, retry=once)))
            drain = Draining()
            server.wait_for_requests(1)
            drain.stop()
            assert again(run).status == RunStatus.RUNNING
            drained()

        assert again(run).status == RunStatus.SUCCEEDED
        assert [row.outcome for row in attempts(run)] == ["unknown", "delivered"]

    def test_a_step_that_may_not_be_repeated_fails_instead(
        self, engine: Settings
    ) -> None:
        engine.GRACE = 0.2
        with Server(stall) as server:
            flow = publish(call("a", server.url, timeout=200, on_unknown="fail"))
            run = started(flow)
            drain = Draining()
            server.wait_for_requests(1)
            drain.stop()

        ended = again(run)
        assert (ended.status, ended.error_class) == (RunStatus.FAILED, "unknown")
        assert not Job.objects.exists()

    def test_a_thread_that_outlives_the_grace_time_is_told(
        self, engine: Settings, gate: threading.Event
    ) -> None:
        """Its process must go. Shown to fail when `stuck` goes by the runs held."""
        engine.GRACE = 0.2
        started(publish(told("a", "wait")))
        drain = Draining()
        until(lambda: drain.drain._busy)
        drain.stop()

        assert drain.drain.stuck
        assert handed_back()

    def test_waiting_runs_are_due_when_they_were(self) -> None:
        pause = node("pause", "delay", {"duration": 60})
        run = started(publish(pause))
        with draining():
            until(lambda: steps(run) == {"pause": "waiting"})
        assert Job.objects.get(run=run).due_at == step(run, "pause").due_at

    def test_runs_that_are_due_soon_are_handed_back_too(self) -> None:
        run = started(publish(node("pause", "delay", {"duration": 0.9}), given("z")))
        drain = Draining()
        until(lambda: steps(run) == {"pause": "waiting"})
        drain.stop()

        assert handed_back()
        drained()
        assert again(run).status == RunStatus.SUCCEEDED

    def test_the_cluster_says_when(self) -> None:
        stopping = threading.Event()
        drain = Draining(stopping=stopping.is_set)
        time.sleep(0.1)
        assert drain.drain._shift.reason is None
        stopping.set()
        assert drain.join() is Reason.STOPPED


class TestOtherEnds:
    def test_a_slice_of_time_is_over(self, engine: Settings) -> None:
        engine.GRACE = 60
        with Server(slowly(0.5)) as server:
            runs = many(publish(call("a", server.url), given("z")), 3)
            drain = Draining(slice_seconds=0.2)
            assert drain.join() is Reason.SLICE

        assert {again(run).status for run in runs} == {RunStatus.SUCCEEDED}

    def test_the_memory_budget_is_reached(self, engine: Settings) -> None:
        engine.DRAIN_MEMORY = 1
        run = started(publish(given("a")))
        assert Draining().join() is Reason.MEMORY
        assert again(run).status == RunStatus.QUEUED, "nothing more is claimed"


class TestSigns:
    def test_a_drain_shows_itself_and_goes(self) -> None:
        with draining(2):
            until(lambda: Worker.objects.count() == 2)
            worker = Worker.objects.filter(seat=1).get()
            assert (worker.kind, worker.threads) == ("drain", 8)
            assert worker.host
        assert not Worker.objects.exists()


class TestHungThreads:
    @pytest.fixture(autouse=True)
    def _impatient(self, engine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("runs.engine.heartbeat.OVERDUE", 0.2)
        engine.HEARTBEAT = 0.1
        engine.LEASE = 1.5
        engine.GRACE = 0.3

    def test_a_run_whose_step_hangs_is_let_go(self, gate: threading.Event) -> None:
        """Another one takes it, and the drain goes on. Shown to fail when the lease of
        a hanging step is extended."""
        run = started(publish(told("a", "wait", timeout=0.1, sends=True)))
        with draining(threads=8) as (drain,):
            until(lambda: drain.drain._hung == 1)
            assert run.pk not in drain.drain._held
            good = started(publish(given("a")))
            until(lambda: again(good).status == RunStatus.SUCCEEDED)
            until(lambda: StepRun.objects.filter(run=run, attempt=2).exists())

        assert attempts(run)[0].outcome == "unknown"

    def test_what_it_says_at_last_is_late(self, gate: threading.Event) -> None:
        """Shown to fail when a written-off run's result is taken for a held one's: its
        steps are begun and dropped in a circle."""
        run = started(publish(told("a", "wait", timeout=0.1), given("z")))
        with draining(threads=8) as (drain,):
            until(lambda: drain.drain._hung == 1)
            gate.set()
            until(lambda: drain.drain._hung == 0)
            until(lambda: again(run).status == RunStatus.SUCCEEDED)
            assert drain.drain._free == 8
        assert step(run, "a").attempt == 2

    def test_with_a_quarter_of_its_threads_hanging_a_drain_gives_up(
        self, gate: threading.Event
    ) -> None:
        many(publish(told("a", "wait", timeout=0.1)), 2)
        fine = started(publish(told("a", "wait", timeout=200)))
        drain = Draining(threads=8)

        assert drain.join() is Reason.HUNG
        assert drain.drain.stuck
        assert steps(fine) == {"a": "waiting"}
        assert Job.objects.get(run=fine).lease_token is None
