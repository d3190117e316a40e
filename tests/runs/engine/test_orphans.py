"""Threads that work for runs which have ended: they are not free for others."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from runs.models import RunLog
from runs.services import cancel
from runs.states import RunStatus
from tests.runs.drains import drained, draining, until
from tests.runs.flows import again, given, node, publish, started, step, steps
from tests.runs.kinds import told

pytestmark = pytest.mark.usefixtures("engine")


def test_the_thread_of_an_ended_run_is_not_free(gate: threading.Event) -> None:
    """Shown to fail when a drain counts the steps of the runs it holds instead: the
    next run's step is marked running and waits behind a thread that is not there."""
    slow = publish(told("a", "wait", timeout=100), run_timeout=3)
    fast = publish(given("a"))
    with draining(threads=2) as (drain,):
        ended = [started(slow), started(slow)]
        until(lambda: all(again(run).status == RunStatus.FAILED for run in ended))
        assert drain.drain._free == 0

        waiting = started(fast)
        time.sleep(1)
        assert again(waiting).status == RunStatus.QUEUED, "claimed without a thread"

        gate.set()
        until(lambda: again(waiting).status == RunStatus.SUCCEEDED)
        until(lambda: drain.drain._free == 2)


def test_the_thread_of_a_cancelled_run_is_not_free(gate: threading.Event) -> None:
    flow = publish(told("a", "wait", timeout=100))
    with draining(threads=2) as (drain,):
        run = started(flow)
        until(lambda: steps(run).get("a") == "running")
        cancel(run, by=None)
        time.sleep(0.2)
        assert drain.drain._free == 1

        gate.set()
        until(lambda: drain.drain._free == 2)
    assert again(run).status == RunStatus.CANCELLED
    assert not RunLog.objects.filter(run=run, level="error").exists()


def test_a_drain_that_stops_waits_for_the_threads_of_ended_runs(
    gate: threading.Event, engine: Settings
) -> None:
    engine.GRACE = 60
    flow = publish(told("a", "wait", timeout=100), run_timeout=3)
    with draining(threads=2) as (drain,):
        run = started(flow)
        until(lambda: again(run).status == RunStatus.FAILED)
        threading.Timer(0.5, gate.set).start()
        drain.stop()
        assert gate.is_set()
        assert not drain.drain.stuck


def test_a_delay_goes_by_the_databases_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host that is behind does not end it early. Shown to fail when actions see the
    host's clock."""

    class Behind(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) - timedelta(seconds=300)

    for module in ("automate.lib.clock", "runs.engine.clock"):
        monkeypatch.setattr(f"{module}.datetime", Behind)
    run = started(publish(node("z", "delay", {"duration": "1s"}), given("b")))
    drained()

    assert again(run).status == RunStatus.SUCCEEDED
    row = step(run, "z")
    assert row.started_at is not None
    assert row.finished_at is not None
    slept = row.finished_at - row.started_at
    assert timedelta(seconds=0.9) < slept < timedelta(seconds=30)
