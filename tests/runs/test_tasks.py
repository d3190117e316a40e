"""The drain as a task: when it stops, how it leaves, what it says."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runs import tasks
from runs.engine import pulse, seats
from runs.engine.pulse import Mark
from runs.engine.shift import SLICE, Reason


class Left(BaseException):
    """The process would have ended with this status."""


class Fake:
    """A drain that returns at once, and remembers how it was made."""

    made: dict[str, Any]
    stuck = False
    stops = 0

    def __init__(self, **arguments: Any) -> None:
        Fake.made = arguments

    def run(self) -> Reason:
        return Reason.SLICE

    def stop(self) -> None:
        Fake.stops += 1


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def leave(code: int) -> None:
        raise Left(code)

    monkeypatch.setattr(tasks, "Drain", Fake)
    monkeypatch.setattr(tasks, "_leave", leave)
    monkeypatch.setattr("runs.tasks.connections.close_all", lambda: None)
    seats.use_folder(tmp_path)
    pulse.clear()
    yield
    seats.use_folder(None)
    pulse.clear()


def run_with(monkeypatch: pytest.MonkeyPatch, run: Callable[[Any], Reason]) -> str:
    monkeypatch.setattr(Fake, "run", run)
    return tasks.drain(0)


def test_a_drain_whose_seat_is_taken_returns_at_once() -> None:
    with seats.taken(3):
        assert tasks.drain(3) == "the seat is taken"
    assert tasks.drain(3) == Reason.SLICE


def test_each_drain_fires_schedules_and_tells_of_ends() -> None:
    tasks.drain(3)
    names = [chore.__qualname__ for chore in Fake.made["chores"]]
    assert {"Schedules.fire", "start_followers"} <= set(names)


def test_it_goes_on_while_the_pusher_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    pulse.beat(Mark.PUSHER_BEAT)
    seen: list[bool] = []

    def run(_: Fake) -> Reason:
        stopping = Fake.made["stopping"]
        seen.append(stopping())
        pulse.put(Mark.PUSHER_BEAT, pulse.get(Mark.PUSHER_BEAT) - tasks.CLUSTER_GONE)
        seen.append(stopping())
        return Reason.STOPPED

    run_with(monkeypatch, run)
    assert seen == [False, True]


def test_it_stops_when_the_cluster_was_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    pulse.beat(Mark.PUSHER_BEAT)

    def run(_: Fake) -> Reason:
        pulse.put(Mark.STOPPING, 1)
        assert Fake.made["stopping"]()
        return Reason.STOPPED

    run_with(monkeypatch, run)


def test_it_leaves_when_its_parent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = os.getppid()

    def run(_: Fake) -> Reason:
        monkeypatch.setattr("runs.tasks.os.getppid", lambda: parent + 1)
        assert Fake.made["stopping"]()
        return Reason.STOPPED

    with pytest.raises(Left) as left:
        run_with(monkeypatch, run)
    assert left.value.args == (0,)


def test_it_leaves_when_threads_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fake, "stuck", True)
    with pytest.raises(Left) as left:
        run_with(monkeypatch, lambda _: Reason.HUNG)
    assert left.value.args == (1,)


def test_it_leaves_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its threads would go on without anybody who records what they do."""

    def run(_: Fake) -> Reason:
        raise RuntimeError("a bug")

    with pytest.raises(Left) as left:
        run_with(monkeypatch, run)
    assert left.value.args == (1,)


def test_sigterm_asks_it_to_stop_and_means_nothing_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def run(_: Fake) -> Reason:
        os.kill(os.getpid(), signal.SIGTERM)
        return Reason.STOPPED

    monkeypatch.setattr(Fake, "stops", 0)
    run_with(monkeypatch, run)
    assert Fake.stops == 1
    assert signal.getsignal(signal.SIGTERM) == before


def test_without_our_broker_its_slice_fits_an_ordinary_task() -> None:
    tasks.drain()
    assert Fake.made["slice_seconds"] == tasks.UNGUARDED_SLICE
    pulse.beat(Mark.PUSHER_BEAT)
    tasks.drain()
    assert Fake.made["slice_seconds"] == SLICE


def test_ordinary_tasks_are_marked_while_they_run_and_ours_are_not() -> None:
    for func in tasks.OURS:
        tasks._task_began({"func": func})
        tasks._task_ended({"func": func})
    assert not pulse.get(Mark.TASK_BEGAN)
    assert not pulse.get(Mark.TASK_ENDED)
    tasks._task_began({"func": "math.copysign"})
    assert pulse.get(Mark.TASK_PID) == os.getpid()
    tasks._task_ended({"func": "math.copysign"})
    assert pulse.get(Mark.TASK_ENDED) >= pulse.get(Mark.TASK_BEGAN) > 0


def test_any_task_that_passes_is_a_sign_of_the_queue_s_life() -> None:
    tasks._task_passed(task={"func": "math.copysign"})
    assert pulse.age(Mark.QUEUE_BEAT) < 30
