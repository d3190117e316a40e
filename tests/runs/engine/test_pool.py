"""The step threads: as many as there is work for, and no task behind a busy one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, cast

import pytest

from runs.engine.perform import Performer
from runs.engine.pool import Threads
from runs.engine.task import Result, Task
from tests.runs.drains import until


class Plain:
    """Performs functions, as a Performer performs tasks."""

    def perform(self, task: Callable[[], Any]) -> Any:
        return task()


class Pool:
    def __init__(self, size: int) -> None:
        self.results: list[Any] = []
        performer = cast(Performer, Plain())
        deliver = cast("Callable[[Result], None]", self.results.append)
        self.threads = Threads(size, performer, deliver)

    def submit(self, work: Callable[[], Any]) -> None:
        self.threads.submit(cast(Task, work))


def test_tasks_run_side_by_side_up_to_the_size() -> None:
    pool, running, most = Pool(3), [0], [0]
    lock, gate = threading.Lock(), threading.Event()

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(60)
        with lock:
            running[0] -= 1

    for _ in range(9):
        pool.submit(work)
    until(lambda: running[0] == 3)
    gate.set()
    until(lambda: len(pool.results) == 9)

    assert most[0] == 3
    pool.threads.close()


def test_a_thread_that_is_free_is_used_again() -> None:
    pool, names = Pool(8), set()
    for number in range(20):
        pool.submit(lambda: names.add(threading.current_thread().name))
        until(lambda number=number: len(pool.results) == number + 1)  # type: ignore[misc]

    assert len(names) == 1
    pool.threads.close()


class LateRiser(SimpleQueue[Any]):
    """Whoever takes something needs a moment before it goes on."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        found = super().get(block, timeout)
        time.sleep(0.02)
        return found


def test_a_task_never_waits_behind_another_while_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shown to fail when a thread that has taken a task still counts as idle."""
    monkeypatch.setattr("runs.engine.pool.SimpleQueue", LateRiser)
    pool = Pool(2)
    pool.submit(lambda: None)
    until(lambda: len(pool.results) == 1)
    pool.results.clear()
    both = threading.Barrier(2)

    def meets() -> bool:
        try:
            both.wait(20)
        except threading.BrokenBarrierError:  # the other one was not begun meanwhile
            return False
        return True

    for _ in range(2):
        pool.submit(meets)
        time.sleep(0.01)

    until(lambda: len(pool.results) == 2)
    assert pool.results == [True, True]
    pool.threads.close()


def test_what_is_unfinished_is_counted_until_its_thread_is_free() -> None:
    """Also when it hangs, or when nobody waits for its result any more."""
    pool, gate = Pool(2), threading.Event()
    pool.submit(lambda: gate.wait(60))
    pool.submit(lambda: None)
    until(lambda: len(pool.results) == 1)
    assert pool.threads.unfinished == 1

    gate.set()
    until(lambda: len(pool.results) == 2)
    assert pool.threads.unfinished == 0
    pool.threads.close()


def test_closing_ends_the_threads() -> None:
    pool = Pool(4)
    both = threading.Barrier(4)

    def here() -> threading.Thread:
        both.wait(60)
        return threading.current_thread()

    for _ in range(4):
        pool.submit(here)
    until(lambda: len(pool.results) == 4)
    assert len(set(pool.results)) == 4

    pool.threads.close()

    for thread in pool.results:
        thread.join(60)
    assert not any(thread.is_alive() for thread in pool.results)
