"""The viewers of one process, and the one who asks the database for all of them.

Everything here is on the event loop's thread; what asks the database is done by one
other thread, at most once a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connections

from runs.stream.look import Known, Row, look
from runs.stream.rights import Grant, Recheck
from runs.stream.topics import RunTopic, Topic, WorkflowTopic

logger = logging.getLogger(__name__)

TICK = 1.0  # seconds between queries, whatever they ask
RECHECK_AFTER = 8.0  # seconds from one look at everybody's rights to the next
# Of a workflow, what ended so long before a look, which may have been committed late.
LATE = 10.0
Key = tuple[str, UUID]
T = TypeVar("T")

# Why a seat is closed.
REVOKED, STOPPING, GONE, TALKS = "revoked", "stopping", "gone", "talks"


class NoSeat(Exception):
    """The process has as many viewers as it takes, or this caller has."""


@dataclass(eq=False)
class Seat:
    """One viewer. `closed` says why it must end, once it must."""

    grant: Grant
    topic: Topic
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    closed: str = ""

    def close(self, reason: str) -> None:
        """End it at the next opportunity."""
        self.closed = self.closed or reason
        self.woken.set()

    async def changed(self, seconds: float) -> bool:
        """Wait until something happened, at most so long. False when nothing did."""
        try:
            await asyncio.wait_for(self.woken.wait(), seconds)
        except TimeoutError:
            return False
        self.woken.clear()
        return True


class Hub:
    """`capacity` viewers in all, of whom `each` may be one key's or person's."""

    def __init__(self, capacity: int = 1000, each: int = 250) -> None:
        self.capacity, self.each = capacity, each
        self.is_closing = False
        self._seats: set[Seat] = set()
        self._topics: dict[Key, tuple[Topic, set[Seat]]] = {}
        self._asker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "stream-look")
        self._recheck: Recheck | None = None
        self._turn = False
        self._rechecked = self._looked = time.monotonic()

    @contextmanager
    def seat(self, grant: Grant) -> Iterator[Seat]:
        """A place from which to follow what the grant permits. Raises NoSeat."""
        mine = sum(seat.grant.who == grant.who for seat in self._seats)
        if self.is_closing or mine >= self.each or len(self._seats) >= self.capacity:
            raise NoSeat
        key = (grant.kind, grant.key)
        if key not in self._topics:
            made = RunTopic if grant.kind == "run" else WorkflowTopic
            self._topics[key] = (made(grant.key), set())
        topic, seats = self._topics[key]
        seat = Seat(grant, topic)
        seats.add(seat)
        self._seats.add(seat)
        self._start()
        try:
            yield seat
        finally:
            self._seats.discard(seat)
            seats.discard(seat)
            if not seats:
                del self._topics[key]

    def close(self) -> None:
        """Let every viewer go: the process stops."""
        self.is_closing = True
        for seat in list(self._seats):
            seat.close(STOPPING)

    # --- asking for all of them -----------------------------------------------------

    def _start(self) -> None:
        if self._asker is None or self._asker.done():
            self._all_are_fresh()
            self._asker = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        """One query, a second's pause, for as long as there are viewers."""
        while self._seats and not self.is_closing:
            began = time.monotonic()
            try:
                await self._next_query()
            except (DatabaseError, InterfaceError) as error:
                # Viewers stay: they are told what has changed when it is back.
                logger.warning("streams cannot look at runs: %s", error)
                await self._in_thread(connections.close_all)
            except Exception:
                logger.exception("streams cannot look at runs")
            await asyncio.sleep(max(TICK - (time.monotonic() - began), 0.0))
            if not self._seats:
                self._all_are_fresh()
                # Here, while the loop goes on: somebody may have come meanwhile.
                await self._in_thread(connections.close_all)

    def _all_are_fresh(self) -> None:
        """Nobody is left whose rights are due: whoever comes was just let in."""
        self._recheck, self._rechecked = None, time.monotonic()

    async def _next_query(self) -> None:
        """Rights and changes by turns while rights are due, else changes."""
        overdue = time.monotonic() - self._rechecked - RECHECK_AFTER
        if self._recheck is None and overdue > 0:
            self._recheck = Recheck({seat.grant for seat in self._seats})
            self._turn = True
        if self._recheck is not None and self._turn:
            await self._ask_rights(self._recheck)
            # After an outage rights come first: nobody is told what they may not see.
            self._turn = overdue > RECHECK_AFTER
        else:
            self._turn = True
            await self._ask_changes()

    async def _ask_rights(self, recheck: Recheck) -> None:
        if not await self._in_thread(recheck.step):
            return
        for seat in list(self._seats):
            if seat.grant in recheck.lost:
                seat.close(REVOKED)
        self._recheck, self._rechecked = None, time.monotonic()

    async def _ask_changes(self) -> None:
        topics = [topic for topic, _ in self._topics.values()]
        runs = {
            topic.key: topic.known for topic in topics if isinstance(topic, RunTopic)
        }
        workflows = [topic.key for topic in topics if topic.kind == "workflow"]
        began = time.monotonic()
        since = began - self._looked + LATE
        rows = await self._in_thread(partial(_look, runs, workflows, since))
        self._looked = began
        self._tell(topics, rows)

    def _tell(self, topics: list[Topic], rows: list[Row]) -> None:
        """Hand out what was found, to those who watched when it was asked for."""
        found: dict[UUID, list[Row]] = {}
        for row in rows:
            found.setdefault(row.topic, []).append(row)
        for topic in topics:
            mine, seats = self._topics.get((topic.kind, topic.key), (None, set()))
            if mine is topic and topic.take(found.get(topic.key, ())):
                for seat in seats:
                    seat.woken.set()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work)


def _look(runs: dict[UUID, Known], workflows: list[UUID], since: float) -> list[Row]:
    return look(runs, workflows, since) if runs or workflows else []
