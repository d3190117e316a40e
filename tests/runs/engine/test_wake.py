"""I7: losing or doubling a wake-up loses and doubles nothing; due work is prompt."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from runs.engine import wake
from runs.models import Job, Run, StepRun
from runs.states import RunStatus
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.runs.drains import draining, until
from tests.runs.faults import other_session
from tests.runs.flows import again, attempts, call, given, many, node, publish, started
from tests.runs.flows import step as step_of

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def listening(engine: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """LISTEN is on, and the poll too rare to help."""
    engine.LISTEN = True
    engine.POLL = 300.0
    notifier = wake.Notifier()
    monkeypatch.setattr(wake, "notify", notifier.notify)
    yield engine
    with other_session() as other:  # the notifier's thread never ends by itself
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query = 'NOTIFY automate_jobs'"
        )


def fates(runs: list[Run]) -> Counter[tuple[str, int]]:
    """How many of them ended how, after so many attempts."""
    return Counter((again(run).status, len(attempts(run))) for run in runs)


class TestNothingIsLost:
    """Shown to fail when a drain claims only after a wake-up."""

    def test_without_any_wake_up(
        self, receiver: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wake, "notify", lambda: None)
        with draining(2):
            runs = many(publish(call("a", receiver.url)), 20)
            until(lambda: not Job.objects.exists())
        assert fates(runs) == {(RunStatus.SUCCEEDED, 1): 20}
        assert len(receiver.requests) == 20

    def test_work_that_was_there_before_the_drain(self, receiver: Server) -> None:
        runs = many(publish(call("a", receiver.url)), 5)
        with draining():
            until(lambda: not Job.objects.exists())
        assert fates(runs) == {(RunStatus.SUCCEEDED, 1): 5}
        assert len(receiver.requests) == 5

    def test_with_far_too_many(self, receiver: Server) -> None:
        done = False
        with draining(2) as drains:

            def storm() -> None:
                while not done:
                    for item in drains:
                        item.drain.wake()
                    time.sleep(0.0005)

            thread = threading.Thread(target=storm)
            thread.start()
            try:
                runs = many(publish(call("a", receiver.url)), 30)
                until(lambda: not Job.objects.exists())
            finally:
                done = True
                thread.join()
        assert fates(runs) == {(RunStatus.SUCCEEDED, 1): 30}
        assert len(receiver.requests) == 30


@pytest.mark.postgresql
class TestListen:
    def test_a_wake_up_comes_at_once(
        self, listening: Settings, receiver: Server
    ) -> None:
        """Shown to fail without the NOTIFY after the commit, or the LISTEN."""
        with draining():
            time.sleep(0.5)
            runs = many(publish(call("a", receiver.url)), 3)
            until(lambda: not Job.objects.exists())
        assert fates(runs) == {(RunStatus.SUCCEEDED, 1): 3}
        assert len(receiver.requests) == 3

    def test_a_listener_that_was_cut_listens_again_and_looks(
        self, listening: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was committed in between is found. Shown to fail without the wake-up
        after LISTEN."""
        monkeypatch.setattr(wake.Listener, "RETRY", 0.1)
        with draining(), other_session() as other:
            time.sleep(0.3)
            listening.LISTEN = False  # whoever writes now wakes nobody
            run = started(publish(given("a")))
            listening.LISTEN = True
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
            until(lambda: not Job.objects.exists())
        assert again(run).status == RunStatus.SUCCEEDED

    def test_many_wake_ups_fold_into_few(self, listening: Settings) -> None:
        with other_session() as other:
            other.execute("LISTEN automate_jobs")
            for _ in range(500):
                wake.notify()
            heard = sum(1 for _ in other.notifies(timeout=60, stop_after=1))
            heard += sum(1 for _ in other.notifies(timeout=0.5))
        assert 1 <= heard < 250

    def test_nothing_is_sent_when_listen_is_off(self, engine: Settings) -> None:
        with other_session() as other:
            other.execute("LISTEN automate_jobs")
            many(publish(given("a")), 3)
            assert not list(other.notifies(timeout=0.3))

    def test_an_event_that_is_rolled_back_wakes_nobody(
        self, listening: Settings
    ) -> None:
        from django.db import transaction

        with other_session() as other:
            other.execute("LISTEN automate_jobs")
            try:
                with transaction.atomic():
                    started(publish(given("a")))
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass
            assert not list(other.notifies(timeout=0.3))


LATEST = 30  # seconds


class TestPromptness:
    """Never too early, and not when a lease or a heartbeat would tell. How promptly is
    measured (W3 in docs/performance.md): a machine that tests may stop for seconds."""

    @pytest.fixture(autouse=True)
    def _defaults(self, engine: Settings) -> None:
        engine.POLL = 0.05 if connection.vendor == "sqlite" else 0.5

    @pytest.mark.parametrize("seconds", [0.4, 1.7])
    def test_a_delay_ends_when_it_is_due(self, seconds: float) -> None:
        """Both within the time for which a lease is kept, and beyond it. Shown to fail
        on PostgreSQL when the claim goes by the poll alone."""
        flow = publish(node("pause", "delay", {"duration": seconds}), given("z"))
        with draining():
            run = started(flow)
            until(lambda: not Job.objects.exists())
        pause = step_of(run, "pause")
        assert pause.finished_at is not None
        assert pause.started_at is not None
        late = (pause.finished_at - pause.started_at).total_seconds() - seconds
        assert -0.02 <= late < LATEST

    def test_a_retry_is_sent_when_it_is_due(self) -> None:
        times: list[float] = []

        def handle(sock: object, server: Server) -> None:
            while read_request(sock):  # type: ignore[arg-type]
                times.append(time.time())
                line = "200 OK" if len(times) == 3 else "503 Not now"
                sock.sendall(answer(b"", line))  # type: ignore[attr-defined]

        with Server(handle) as server, draining():
            retry = {"waits": [0.5, 1.5], "jitter": 0}
            run = started(publish(call("a", server.url, retry=retry)))
            until(lambda: not Job.objects.exists())

        dues: list[datetime | None] = [row.next_due_at for row in attempts(run)]
        for due, at in zip(dues[:2], times[1:], strict=True):
            assert due is not None
            assert -0.02 <= at - due.timestamp() < LATEST
        assert dues[2] is None

    def test_many_that_are_due_together_begin_together(self) -> None:
        pause = node("pause", "delay", {"duration": 1.3})
        flow = publish(pause, given("z"))
        with draining(threads=16):
            many(flow, 20)
            until(lambda: not Job.objects.exists())
        late = []
        for row in StepRun.objects.filter(node_id="pause"):
            assert row.finished_at is not None
            assert row.started_at is not None
            late.append(row.finished_at - row.started_at - timedelta(seconds=1.3))
        assert max(late) < timedelta(seconds=LATEST)
