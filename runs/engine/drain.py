"""The resident drain: a worker of the cluster sits in one and finishes runs.

One thread (this one) claims, plans and records; many perform steps; one keeps the
leases; one listens for wake-ups.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable

from django.conf import settings
from django.db import Error, connection

from automate.lib.net import Client, Policy
from runs.engine import exclusive, held_back, orphans, wake
from runs.engine.chores import Chore, Chores
from runs.engine.clock import DatabaseClock
from runs.engine.handback import hand_back
from runs.engine.heartbeat import Heartbeat
from runs.engine.held import Held
from runs.engine.inbox import Inbox
from runs.engine.ledger import DatabaseAway, Ledger, Work, Written, grouped
from runs.engine.looks import Looks
from runs.engine.overdue import Overdue
from runs.engine.perform import Performer
from runs.engine.pool import Threads
from runs.engine.shift import SLICE, Reason, Shift
from runs.engine.sign import Sign
from runs.engine.task import Result

logger = logging.getLogger(__name__)

BATCH = 64
LINGER = 0.003  # seconds that a busy drain lets results gather into one transaction
AWAY_PAUSE = 1.0
# What every drain does, whoever runs it.
ENGINE_CHORES: tuple[Chore, ...] = (orphans.sweep, held_back.sweep)


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
        self._shift = Shift(
            threads=self._size, seconds=slice_seconds, stopping=stopping
        )
        own: list[Chore] = [exclusive.Sweep().look]
        if seat == 0:  # one drain a host
            own.append(Overdue().look)
        self._chores = Chores((*ENGINE_CHORES, *own, *chores))
        self._http = Client(
            Policy(settings.ALLOWED_NETWORKS), pool_size=max(self._size, 8)
        )
        clock = DatabaseClock()
        self._inbox = Inbox()
        performer = Performer(self._http, clock)
        self._threads = Threads(self._size, performer, self._inbox.deliver)
        self._ledger = Ledger(clock=clock)
        self._held: dict[object, Held] = {}
        # One drain a host gives way to a run that must be alone.
        self._looks = Looks(gives_way=seat == 0)
        self._hung = 0
        self._last_size = 0
        self._away = False
        self._left_over = 0
        self._sign = Sign(seat=seat, threads=self._size)
        self._listener = wake.Listener(self.wake)
        self._heartbeat = Heartbeat(lambda: list(self._held.values()), self._report)

    # --- from other threads ---

    def wake(self) -> None:
        """Something may be due."""
        self._inbox.wake()

    def stop(self) -> None:
        """Claim nothing more, finish what is in flight, return; from any thread.

        Also from a signal's handler, which may interrupt another: takes no lock.
        """
        self._shift.stop()

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
            while self._shift.reason is None or self._busy:
                self._turn()
                if not self._shift.may_begin:
                    break
            reason = self._shift.reason or Reason.STOPPED
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
            if self._shift.reason is None:
                self._chores.run()
            self._suspect()
            self._work(self._wanted())
            self._away = False
        except (DatabaseAway, Error) as error:
            self._database_away(error)
        self._sleep()

    def _look_around(self) -> None:
        self._shift.look(self._hung)
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
        work = grouped(self._inbox.take(4 * BATCH))
        free = self._free if self._shift.may_begin else 0
        self._add_due(work, free)
        if not work and not want:
            return
        if want:
            self._inbox.woken = False
        try:
            written = self._ledger.turn(work, free, want)
        except DatabaseAway:
            self._inbox.put_back(_results(work))
            raise
        self._last_size = len(work)
        self._take_over(written)
        if written.resumed:  # results that came since were not part of it
            rest = [item for item in _results(work) if not written.took(item)]
            self._inbox.put_back(rest)
        elif want:
            self._looks.claimed(
                full=written.claimed + written.parked >= written.asked,
                since=written.now,
                busy=bool(self._held),
                contended=written.contended,
            )

    def _add_due(self, work: dict[Held, list[Result]], free: int) -> None:
        """Also look at held runs with something due, or with a step that waits."""
        now = time.monotonic()
        for held in self._held.values():
            is_due = held.due is not None and held.due <= now
            is_due, held.noticed = is_due or held.noticed, False
            if (is_due or (held.starved and free > 0)) and held not in work:
                work[held] = []
                free -= 1

    def _wanted(self) -> int:
        """How many runs to claim now."""
        looks = self._inbox.woken or time.monotonic() >= self._looks.claim_at
        if not self._may_claim or not looks:
            return 0
        if any(held.solo for held in self._held.values()):
            return 0
        return min(self._free, BATCH)

    def _suspect(self) -> None:
        """With empty hands: take a run whose lease ran out before, and run it alone."""
        idle = not self._held and self._shift.reason is None
        if not idle or not self._looks.wants_suspect():
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
            if self._held.get(held.run_id) is held:  # not, when it was claimed anew
                del self._held[held.run_id]
            if held.let_go:  # these threads do not hang after all
                self._hung -= len(results)
        if freed:  # a slot, or an exclusive key
            self._inbox.woken = True
            wake.notify()

    def _sleep(self) -> None:
        if self._inbox.results and self._last_size > 4:
            time.sleep(LINGER)
            return
        if self._looks.quiet and not self._held:  # the suspect is done
            return
        may_claim = self._may_claim
        waited = self._inbox.wait(self._pause(may_claim=may_claim), wakes=may_claim)
        if waited and self._inbox.woken and not self._inbox.results and not self._held:
            # All drains heard the same wake-up: not all at once.
            time.sleep(random.uniform(0, 0.0005) * self._sign.drains)  # noqa: S311

    @property
    def _may_claim(self) -> bool:
        return self._shift.reason is None and not self._looks.quiet and self._free > 0

    def _pause(self, *, may_claim: bool) -> float:
        """Seconds until something is due by the clock, one at the most."""
        now = time.monotonic()
        moments = [now + 1.0]
        if self._shift.reason is None:
            moments.append(self._chores.due_at)
        if may_claim:
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
        self._inbox.woken = True
        connection.close()
        time.sleep(AWAY_PAUSE * random.uniform(0.5, 1.0))  # noqa: S311

    # --- the end ---

    def _finish(self) -> None:
        """Let steps in flight end within the grace time, then give everything back."""
        until = time.monotonic() + settings.GRACE
        while self._busy and time.monotonic() < until:
            if self._shift.too_many(self._hung):
                break
            self._inbox.wait(0.1, wakes=False)
            self._record_quietly()
        if self._busy:
            logger.warning("%d step(s) did not end in time", self._busy)
            self._inbox.expect_cut_off()
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


def _results(work: Work) -> list[Result]:
    return [item for results in work.values() for item in results]
