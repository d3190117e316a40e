"""A drain's second thread: keeps leases, signs of life, and looks for dead ones."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import Error, connection, connections
from django.db.models.functions import Now

from automate.lib.database import write_transaction
from runs.engine.held import Held
from runs.engine.reap import Reaper
from runs.models import Job

logger = logging.getLogger(__name__)

OVERDUE = 30.0  # seconds past its time-out after which a step's thread is written off


class Heartbeat:
    """Extends the leases of `held()` every `settings.HEARTBEAT` seconds.

    A run is extended only while each of its steps is younger than its time-out and
    30 s: a thread that hangs (a name look-up has no time-out) must not keep it for
    ever. `report` runs after each beat on this thread's connection.
    """

    def __init__(
        self, held: Callable[[], Sequence[Held]], report: Callable[[], None]
    ) -> None:
        self._held = held
        self._report = report
        self._reaper = Reaper()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin beating."""
        self._thread.start()

    def stop(self) -> None:
        """End; waits for a beat in progress."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                self.beat()
            except Error as error:
                logger.warning("the heartbeat could not reach the database: %s", error)
                connection.close()
                self._reaper.forget()
            except Exception:
                # Without this thread every lease of the drain would run out.
                logger.exception("a beat failed, the next one follows")
            pause = settings.HEARTBEAT * random.uniform(0.8, 1.0)  # noqa: S311
        connections.close_all()

    def beat(self) -> None:
        """One beat: leases, the report, and a look at others' expired leases."""
        held = [item for item in self._held() if not self.write_off(item)]
        if held:
            extend(held)
        self._report()
        self._reaper.look()

    @staticmethod
    def write_off(held: Held) -> bool:
        """True, and marked so, when a step of this run is long overdue."""
        now = time.monotonic()
        flights = list(held.in_flight.values())
        if any(now - step.started > step.timeout + OVERDUE for step in flights):
            if not held.written_off:
                logger.error("letting run %s go: a step hangs", held.run_id)
            held.written_off = True
        return held.written_off


def extend(held: Sequence[Held]) -> None:
    """Move these leases' ends; those locked by a record are extended by that record.

    A run that somebody else has ended, taken or signalled is marked `noticed`.
    """
    sent = time.monotonic()
    tokens = {item.job_id: item for item in held}
    until = Now() + timedelta(seconds=settings.LEASE)
    with write_transaction():
        rows = (
            Job.objects.filter(pk__in=tokens)
            .order_by("pk")
            .select_for_update(no_key=True, skip_locked=True)
            .values_list("pk", "lease_token", "signal_count")
        )
        found = {
            pk: signals for pk, token, signals in rows if tokens[pk].token == token
        }
        ours = list(found)
        if ours:
            Job.objects.filter(pk__in=ours).update(lease_until=until)
    for pk, item in tokens.items():
        if pk in found:
            item.lease_ends = sent + settings.LEASE
        # Locked, perhaps by its own record: then a look too many does no harm.
        if found.get(pk) != item.signal_count:
            item.noticed = True
