"""The resident drain: a worker of the cluster sits in one and finishes runs.

One thread (this one) claims, plans and records; many perform steps; one keeps the
leases; one listens for wake-ups.
"""

from __future__ import annotations

import logging
import random
import resource
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

from django.conf import settings
from django.db import Error, connection

from automate.lib.net import Client, Policy
from runs.engine import exclusive, held_back, orphans, wake
from runs.engine.chores import Chore, Chores
from runs.engine.clock import DatabaseClock
from runs.engine.handback import hand_back
from runs.engine.heartbeat import Heartbeat
from runs.engine.held import Held
from runs.engine.ledger import DatabaseAway, Ledger, Written, grouped
from runs.engine.looks import Looks
from runs.engine.overdue import Overdue
from runs.engine.perform import Performer
from runs.engine.pool import Threads
from runs.engine.sign import Sign
from runs.engine.task import Interrupted, Result
from workflows.actions.outcomes import Fail
from workflows.services import noted

logger = logging.getLogger(__name__)

SLICE = 600.0  # seconds, give or take 30 %, after which a drain makes room for the next
BATCH = 64
LINGER = 0.003  # seconds that a busy drain lets results gather into one transaction
AWAY_PAUSE = 1.0
# What every drain does, whoever runs it.
ENGINE_CHORES: tuple[Chore, ...] = (orphans.sweep, exclusive.sweep, held_back.sweep)


class Reason(StrEnum):
    """Why a drain returned."""

    SLICE = "its slice of time was over"
    STOPPED = "it was told to stop"
    MEMORY = "it reached its memory budget"
    HUNG = "a quarter of its threads hang"


class Drain:
    """One drain. `stopping` is asked often and says when the cluster stops.

    `chores` are done between turns, with those of the engine itself.
    """

    def __init__(
        self,
        *,
        seat: int = 0,
        threads: int | None = None,
        stopping: Callable[[], bool] = lambda: False,
        slice_seconds: float = SLICE,
        chores: Iterable[Chore] = (),
    ) -> None:
        self._seat = seat
        self._size = threads or settings.THREADS
        self._stopping = stopping
        slice_seconds *= random.uniform(0.7, 1.3)  # noqa: S311 - spreads load
        self._ends = time.monotonic() + slice_seconds
        self._stop_asked = False
        of_host: tuple[Chore, ...] = (Overdue().look,) if seat == 0 else ()
        self._chores = Chores((*ENGINE_CHORES, *of_host, *chores))
        self._http = Client(
            Policy(settings.ALLOWED_NETWORKS), pool_size=max(self._size, 8)
        )
        clock = DatabaseClock()
        self._threads = Threads(self._size, Performer(self._http, clock), self._deliver)
        self._ledger = Ledger(clock=clock)
        self._held: dict[object, Held] = {}
        self._results: deque[Result] = deque()
        self._wakeful = threading.Condition()
        self._woken = True
        # One drain a host gives way to a run that must be alone.
        self._looks = Looks(gives_way=seat == 0)
        self._hung = 0
        self._last_size = 0
        self._away = False
        self._aborted = False
        self._left_over = 0
        self.reason: Reason | None = None
        self._sign = Sign(seat=seat, threads=self._size)
        self._listener = wake.Listener(self.wake)
        self._heartbeat = Heartbeat(lambda: list(self._held.values()), self._report)

    # --- from other threads ---

    def wake(self) -> None:
        """Something may be due."""
        with self._wakeful:
            self._woken = True
            self._wakeful.notify()

    def stop(self) -> None:
        """Claim nothing more, finish what is in flight, return; from any thread.

        Also from a signal's handler, which may interrupt another: takes no lock.
        """
        self._stop_asked = True

    def _deliver(self, result: Result) -> None:
        if self._aborted and _may_be_our_doing(result):
            result = replace(result, outcome=Interrupted())
        elif isinstance(result.outcome, Fail) and result.outcome.gone is not None:
            noted.gone(result.outcome.gone)
        with self._wakeful:
            self._results.append(result)
            self._wakeful.notify()

    def _report(self) -> None:
        self._sign.beat(busy=self._busy)
        if any(item.noticed for item in list(self._held.values())):
            self.wake()

    # --- the loop ---

    def run(self) -> Reason:
        """Work until the slice ends or something asks to stop, then hand back."""
        self._listener.start()
        self._heartbeat.start()
        try:
            while self.reason is None or self._busy:
                self._turn()
                if self.reason in (Reason.STOPPED, Reason.HUNG):
                    break
            reason = self.reason or Reason.STOPPED
            self._finish()
        finally:
            self._heartbeat.stop()
            self._listener.stop()
            self._threads.close()
            self._sign.end()
            self._http.close()
        logger.info("drain %d returns: %s", self._seat, reason)
        return reason

    def _turn(self) -> None:
        self._look_around()
        try:
            if self.reason is None:
                self._chores.run()
            self._suspect()
            self._work(self._wanted())
            self._away = False
        except (DatabaseAway, Error) as error:
            self._database_away(error)
        self._sleep()

    def _look_around(self) -> None:
        if self._stop_asked or self._stopping():
            self.reason = Reason.STOPPED
        elif self._hung * 4 >= self._size:
            self.reason = Reason.HUNG
        elif self.reason is None and time.monotonic() > self._ends:
            self.reason = Reason.SLICE
        elif self.reason is None and _memory_mib() > settings.DRAIN_MEMORY:
            self.reason = Reason.MEMORY
        for key, held in list(self._held.items()):
            if held.written_off:
                held.let_go = True
                self._hung += len(held.in_flight)
                del self._held[key]

    @property
    def _busy(self) -> int:
        """Steps in flight or not yet recorded, those of ended runs among them."""
        held = sum(len(item.in_flight) for item in list(self._held.values()))
        return max(held, self._threads.unfinished - self._hung)

    @property
    def _free(self) -> int:
        """Threads without a task; one that hangs or works for an ended run has one."""
        return self._size - self._threads.unfinished

    def _work(self, want: int) -> None:
        """One transaction: results that came, runs that are due, `want` new ones."""
        work = grouped(self._taken())
        free = self._free
        may_begin = self.reason not in (Reason.STOPPED, Reason.HUNG)
        self._add_due(work, free if may_begin else 0)
        if not work and not want:
            return
        if want:
            self._woken = False
        try:
            written = self._ledger.turn(work, free if may_begin else 0, want)
        except DatabaseAway:
            rest = [item for results in work.values() for item in results]
            self._results.extendleft(reversed(rest))
            raise
        self._last_size = len(work)
        self._take_over(written)
        if written.resumed:  # results that came since were not part of it
            rest = [item for results in work.values() for item in results]
            self._results.extendleft(
                item for item in reversed(rest) if not written.took(item)
            )
        elif want:
            self._looks.claimed(
                full=written.claimed + written.parked >= written.asked,
                since=written.now,
                busy=bool(self._held),
                contended=written.contended,
            )

    def _holds(self, held: Held) -> bool:
        """False for a lease that was lost, also when the run was claimed anew."""
        return self._held.get(held.run_id) is held

    def _add_due(self, work: dict[Held, list[Result]], free: int) -> None:
        """Also look at held runs with something due, or with a step that waits."""
        now = time.monotonic()
        for held in self._held.values():
            is_due = held.due is not None and held.due <= now
            is_due, held.noticed = is_due or held.noticed, False
            if (is_due or (held.starved and free > 0)) and held not in work:
                work[held] = []
                free -= 1

    def _taken(self) -> list[Result]:
        taken: list[Result] = []
        while self._results and len(taken) < 4 * BATCH:
            taken.append(self._results.popleft())
        return taken

    def _wanted(self) -> int:
        """How many runs to claim now."""
        looks = self._woken or time.monotonic() >= self._looks.claim_at
        if not self._may_claim or not looks:
            return 0
        if any(held.solo for held in self._held.values()):
            return 0
        return min(self._free, BATCH)

    def _suspect(self) -> None:
        """With empty hands: take a run whose lease ran out before, and run it alone."""
        if self._held or self.reason is not None or not self._looks.wants_suspect():
            return
        written = self._ledger.turn({}, self._free, 1, suspect=True)
        self._take_over(written)
        if written.claimed:
            self._looks.found_suspect(busy=bool(self._held))

    def _take_over(self, written: Written) -> None:
        freed = False
        for draft in written.drafts:
            held = draft.held
            if draft.ending is not None or draft.released:
                self._held.pop(held.run_id, None)
                over = draft.ending is not None and held.exclusive_key != ""
                freed = freed or held.limited or over
                if draft.released and draft.wakes_soon:
                    wake.notify()
            else:
                self._held[held.run_id] = held
            for task in draft.tasks:
                self._threads.submit(task)
        for held, results in written.lost:
            if self._holds(held):
                del self._held[held.run_id]
            if held.let_go:  # these threads do not hang after all
                self._hung -= len(results)
        if freed:  # a slot, or an exclusive key
            self._woken = True
            wake.notify()

    def _sleep(self) -> None:
        if self._results and self._last_size > 4:
            time.sleep(LINGER)
            return
        with self._wakeful:
            if self._results or (self._woken and self._may_claim):
                return
            if self._looks.quiet and not self._held:  # the suspect is done
                return
            self._wakeful.wait(self._pause())
            idle = not self._results and self._woken and not self._held
        if idle:  # all drains heard the same wake-up: not all at once
            time.sleep(random.uniform(0, 0.0005) * self._sign.drains)  # noqa: S311

    @property
    def _may_claim(self) -> bool:
        return self.reason is None and not self._looks.quiet and self._free > 0

    def _pause(self) -> float:
        now = time.monotonic()
        moments = [now + 1.0]
        if self.reason is None:
            moments.append(self._chores.due_at)
        if self._may_claim:
            moments.append(max(self._looks.claim_at, now))
        for held in self._held.values():
            if held.due is not None:
                moments.append(held.due)
        return max(min(moments) - now, 0.0)

    def _database_away(self, error: Exception) -> None:
        """Claim nothing, start nothing, keep the outcomes; the fence decides later."""
        if not self._away:
            cause = error.__cause__ or error
            logger.error("the database is away, holding on: %s", cause)
        self._away = True
        self._woken = True
        connection.close()
        time.sleep(AWAY_PAUSE * random.uniform(0.5, 1.0))  # noqa: S311

    # --- the end ---

    def _finish(self) -> None:
        """Let steps in flight end within the grace time, then give everything back."""
        until = time.monotonic() + settings.GRACE
        while self._busy and time.monotonic() < until and self._hung * 4 < self._size:
            with self._wakeful:
                if not self._results:
                    self._wakeful.wait(0.1)
            self._record_quietly()
        if self._busy:
            logger.warning("%d step(s) did not end in time", self._busy)
            self._aborted = True
            self._http.abort()
            time.sleep(0.2)  # what was just answered still counts
        self._record_quietly()
        self._left_over = self._busy
        hand_back(list(self._held.values()), self._ledger)
        self._held.clear()
        wake.notify()

    def _record_quietly(self) -> None:
        try:
            self._work(0)
        except DatabaseAway as error:
            self._database_away(error)

    @property
    def stuck(self) -> bool:
        """True when threads are left that will not end with this call."""
        return self._hung > 0 or self._left_over > 0


def _may_be_our_doing(result: Result) -> bool:
    """True for a request that failed without an answer, as one does that we cut off.

    It does not count as a try of the step's: only what the receiver said counts.
    """
    attempt = getattr(result.outcome, "attempt", None)
    return attempt is not None and attempt.response_status is None


def _memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
