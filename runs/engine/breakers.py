"""Breakers of connections: a receiver that is dead does not get every worker.

How requests went is counted in memory. It is written, in the transaction that records
them, only where some failed; a connection whose requests succeed writes nothing, and
steps that use it ask nothing. The row of a breaker is locked after the jobs, in the
order of the connections' ids, and before the permits.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from runs.engine import probing
from runs.engine.held import Held
from runs.engine.judging import Judged, Wanting, judge, wanted_on
from runs.engine.task import Result
from workflows.models import Breaker
from workflows.models.breaker import Slot, recent, slot_of

if TYPE_CHECKING:
    from runs.engine.draft import Draft

# Counts of a connection that mostly succeeds are written at most so often.
SELDOM = 1.0
MOSTLY_FAILS = 0.5


@dataclass(slots=True)
class _Known:
    """What this drain knows of one connection; its row decides."""

    slots: list[Slot] = field(default_factory=list)  # not written yet
    closed: bool = True
    troubled: bool = False  # its row counts failures
    share: float = 1.0  # of them, when it was last read
    written: float = 0.0


@dataclass(slots=True)
class Turn:
    """What becomes known when the turn's transaction has committed.

    `slots` are the counts not written yet, `rows` those that were read or written;
    None: there is none.
    """

    slots: dict[UUID, list[Slot]] = field(default_factory=dict)
    rows: dict[UUID, Breaker | None] = field(default_factory=dict)


class Breakers:
    """The breakers as one drain sees them. Not thread-safe: the drain's own thread."""

    def __init__(self) -> None:
        self._known: dict[UUID, _Known] = {}
        self._shut: set[UUID] = set()  # those through which not every step goes

    def learn(self, held: Iterable[Held]) -> None:
        """What was read with these runs, which were claimed just now."""
        for item in held:
            for key, row in item.supplies.breakers.items():
                self._see(key, row)

    def turn(
        self,
        work: Mapping[Held, Sequence[Result]],
        drafts: Sequence[Draft],
        now: datetime,
    ) -> Turn:
        """Count these results, and hold back steps that may not go; in a transaction.

        No statement where all succeeded and every breaker is closed.
        """
        judged = judge(work, drafts, self._shut)
        failing = {key for key, one in judged.items() if one.failures}
        wanted = wanted_on(drafts, self._shut | failing)
        turn = Turn()
        for key in sorted(judged.keys() | wanted.keys()):
            self._one(key, judged.get(key) or Judged(), wanted.get(key, ()), now, turn)
        return turn

    def apply(self, turn: Turn) -> None:
        """The transaction has committed: what it decided is what is known.

        Of one that was rolled back nothing is: a probe whose answer it would have
        recorded must be seen as one when it is repeated.
        """
        for key, slots in turn.slots.items():
            self._known[key].slots = slots
        for key, row in turn.rows.items():
            self._see(key, row)
            if row is not None:
                self._known[key].written = time.monotonic()

    def _one(
        self,
        key: UUID,
        judged: Judged,
        wanted: Sequence[Wanting],
        now: datetime,
        turn: Turn,
    ) -> None:
        """One connection: its row changes in the database, `turn` in memory."""
        known = self._known.setdefault(key, _Known())
        slots = known.slots
        if judged.attempts:
            fresh = (slot_of(now), judged.attempts, judged.failures)
            slots = recent([*slots, fresh], now)
        turn.slots[key] = slots
        writes = known.closed and self._writes(known, slots)
        if not (writes or judged.probes or (wanted and not known.closed)):
            return
        row = turn.rows[key] = _locked(key, create=writes)
        if row is None:
            return
        before = _values(row)
        was_closed = row.is_closed
        if judged.error and judged.failures:
            row.failed(judged.error, now)
        probing.take_over(row, judged, now)
        if was_closed and row.count(slots, now):
            probing.say_open(row, judged)
        probing.hold_back(row, wanted, now)
        if _values(row) != before:
            row.save()
        turn.slots[key] = []

    @staticmethod
    def _writes(known: _Known, slots: Sequence[Slot]) -> bool:
        """Whether these counts matter enough for a statement now."""
        failed = any(slot[2] for slot in slots)
        if not failed and not (known.troubled and slots):
            return False
        if failed and known.share >= MOSTLY_FAILS:
            return True
        return time.monotonic() - known.written >= SELDOM

    def _see(self, key: UUID, row: Breaker | None) -> None:
        known = self._known.setdefault(key, _Known())
        known.closed = row is None or row.is_closed
        attempts, failures = row.totals() if row is not None else (0, 0)
        known.troubled = failures > 0
        known.share = failures / attempts if attempts else 1.0
        if known.closed:
            self._shut.discard(key)
        else:
            self._shut.add(key)


def _locked(key: UUID, *, create: bool) -> Breaker | None:
    rows = Breaker.objects.select_for_update(no_key=True)
    row = rows.filter(pk=key).first()
    if row is None and create:
        Breaker.objects.bulk_create([Breaker(pk=key)], ignore_conflicts=True)
        row = rows.filter(pk=key).first()
    return row


def _values(row: Breaker) -> list[Any]:
    return [getattr(row, item.attname) for item in row._meta.concrete_fields]
