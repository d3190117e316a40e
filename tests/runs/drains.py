"""Drains for tests: whole ones in threads, and one that the test moves by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

from django.db import connections

from automate.lib.net import Client, Policy
from runs.engine.drain import Drain
from runs.engine.held import Held
from runs.engine.ledger import Ledger, Written, grouped
from runs.engine.perform import Performer
from runs.engine.shift import Reason
from runs.engine.task import Result, Task
from runs.models import Job, Run
from tests.processes import HANGS

LOOPBACK = [ip_network("127.0.0.0/8")]


def in_thread(work: Callable[[], Any], name: str = "test") -> threading.Thread:
    """Run `work` in a thread that leaves no connection behind."""

    def target() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


def together(*works: Callable[[], Any], within: float = HANGS) -> list[Any]:
    """All of them at once, each in a thread; their results, or the first error."""
    results: list[Any] = [None] * len(works)
    errors: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def guarded(place: int, work: Callable[[], Any]) -> None:
        try:
            gate.wait(HANGS)
            results[place] = work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    threads = [
        in_thread(lambda place=place, work=work: guarded(place, work))  # type: ignore[misc]
        for place, work in enumerate(works)
    ]
    for thread in threads:
        thread.join(within)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results


def until(condition: Callable[[], Any], within: float = HANGS) -> None:
    """Return when `condition` holds; fail when it does not in time."""
    give_up = time.monotonic() + within
    while not condition():
        assert time.monotonic() < give_up, "it did not come about in time"
        time.sleep(0.01)


def no_jobs() -> bool:
    """Every run has ended."""
    return not Job.objects.exists()


class Draining:
    """A drain in a thread; `reason` when it has returned."""

    def __init__(self, **arguments: Any) -> None:
        self.drain = Drain(**{"threads": 8, **arguments})
        self.reason: Reason | None = None
        self.error: BaseException | None = None
        self.thread = in_thread(self._run, "drain")

    def _run(self) -> None:
        try:
            self.reason = self.drain.run()
        except BaseException as error:  # noqa: BLE001 - raised again by `join`
            self.error = error

    def join(self, within: float = HANGS) -> Reason:
        """Wait until it returns by itself."""
        self.thread.join(within)
        assert not self.thread.is_alive(), "the drain does not return"
        if self.error is not None:
            raise self.error
        assert self.reason is not None
        return self.reason

    def stop(self, within: float = HANGS) -> Reason:
        """Ask it to stop, and wait until it has."""
        self.drain.stop()
        self.drain.wake()
        return self.join(within)


@contextmanager
def draining(count: int = 1, **arguments: Any) -> Iterator[list[Draining]]:
    """So many drains while the block runs."""
    drains = [Draining(**{"seat": seat, **arguments}) for seat in range(count)]
    try:
        yield drains
    finally:
        for item in drains:
            item.stop()


def drained(
    condition: Callable[[], Any] = no_jobs,
    *,
    count: int = 1,
    within: float = HANGS,
    **arguments: Any,
) -> None:
    """Have drains work until the condition holds: until every run has ended."""
    with draining(count, **arguments):
        until(condition, within)


class Hand:
    """A drain taken apart: it claims, performs and records when the test says so."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.client = Client(Policy(LOOPBACK))
        self.performer = Performer(self.client)
        self.tasks: list[Task] = []
        self.held: dict[Any, Held] = {}

    def close(self) -> None:
        self.client.close()

    def claim(self, want: int = 64, free: int = 32) -> Written:
        """Take what is due; the steps that may begin wait in `tasks`."""
        return self._took(self.ledger.turn({}, free, want))

    def claim_suspect(self, free: int = 32) -> Written:
        """Take one run whose lease ran out before."""
        return self._took(self.ledger.turn({}, free, 1, suspect=True))

    def perform(self, *keys: str) -> list[Result]:
        """Perform the steps that wait, or those of these ids, here and now."""
        chosen = [task for task in self.tasks if not keys or task.node.id in keys]
        self.tasks = [task for task in self.tasks if task not in chosen]
        return [self.performer.perform(task) for task in chosen]

    def record(self, results: list[Result] | None = None, free: int = 32) -> Written:
        """Record these results; without any, those of the steps that wait."""
        found = self.perform() if results is None else results
        return self._took(self.ledger.turn(grouped(found), free))

    def plan(self, *runs: Run, free: int = 32) -> Written:
        """Plan these held runs again without a result."""
        work: dict[Held, list[Result]] = {self.held[run.pk]: [] for run in runs}
        return self._took(self.ledger.turn(work, free))

    def finish(self) -> None:
        """Perform and record until no step may begin."""
        while self.tasks:
            self.record()

    def _took(self, written: Written) -> Written:
        for draft in written.drafts:
            self.held[draft.held.run_id] = draft.held
            self.tasks += draft.tasks
        return written
