"""Breakers of connections: a receiver that is dead does not get every worker.

How requests went is counted in memory. It is written, in the transaction that records
them, only where some failed; a connection whose requests succeed writes nothing, and
steps that use it ask nothing. The row of a breaker is locked after the jobs, in the
order of the connections' ids, and before the permits.
"""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from runs.engine.held import Held
from runs.engine.task import Result, Task
from workflows.actions.outcomes import Done, Retry
from workflows.models import Breaker
from workflows.models.breaker import Slot, recent, slot_of

if TYPE_CHECKING:
    from runs.engine.draft import Draft

logger = logging.getLogger(__name__)

# Of a request that got no answer: it was the receiver that failed, not our rules.
FAILURES = frozenset({"name", "connect", "tls", "timeout", "reset", "protocol"})
# A probe's worker that dies is missed so long after the step's time-out. A living one
# is let go by the heartbeat 30 s after it.
PROBE_MARGIN = timedelta(seconds=60)
PROBE_LOOK = 10.0  # seconds on average until a step looks how another's probe went
LONGEST_SPREAD = 60.0  # seconds over which held steps come back
# Counts of a connection that mostly succeeds are written at most so often.
SELDOM = 1.0
MOSTLY_FAILS = 0.5


@dataclass(slots=True)
class Judged:
    """What one turn tells of one connection's receiver."""

    name: str = ""
    attempts: int = 0
    failures: int = 0
    error: str = ""
    last: Draft | None = None  # of the last failure
    probes: list[tuple[Draft, str, bool | None]] = field(default_factory=list)


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
    """What becomes known when the turn's transaction has committed."""

    slots: dict[UUID, list[Slot]] = field(default_factory=dict)


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
        judged = self._judge(work, drafts)
        for key in judged:
            self._known.setdefault(key, _Known())
        failing = {key for key, one in judged.items() if one.failures}
        wanted = self._wanted(drafts, self._shut | failing)
        turn = Turn()
        for key in sorted(judged.keys() | wanted.keys()):
            self._one(key, judged.get(key) or Judged(), wanted.get(key, ()), now, turn)
        return turn

    def apply(self, turn: Turn) -> None:
        """The transaction has committed: its counts are kept, or written."""
        for key, slots in turn.slots.items():
            self._known[key].slots = slots

    # --- what results tell ------------------------------------------------------------

    def _judge(
        self, work: Mapping[Held, Sequence[Result]], drafts: Sequence[Draft]
    ) -> dict[UUID, Judged]:
        found: dict[UUID, Judged] = defaultdict(Judged)
        for draft in drafts:
            version = draft.held.version
            if version is None or not version.connections:
                continue
            for result in work.get(draft.held, ()):
                link = link_of(draft.held, result.node_id)
                if link is None:
                    continue
                key, name = link
                good = is_good(result.outcome)
                if key in self._shut:
                    found[key].name = name
                    found[key].probes.append((draft, result.node_id, good))
                if good is None:
                    continue
                one = found[key]
                one.name = name
                one.attempts += 1
                if not good:
                    one.failures += 1
                    one.error, one.last = _error(result.outcome), draft
        return found

    @staticmethod
    def _wanted(
        drafts: Sequence[Draft], keys: Collection[UUID]
    ) -> dict[UUID, list[tuple[Draft, Task]]]:
        """The steps that are to begin on these connections."""
        found: dict[UUID, list[tuple[Draft, Task]]] = defaultdict(list)
        for draft in drafts if keys else ():
            for task in draft.tasks:
                link = link_of(draft.held, task.node.id)
                if link is not None and link[0] in keys:
                    found[link[0]].append((draft, task))
        return found

    # --- one connection ---------------------------------------------------------------

    def _one(
        self,
        key: UUID,
        judged: Judged,
        wanted: Sequence[tuple[Draft, Task]],
        now: datetime,
        turn: Turn,
    ) -> None:
        known = self._known.setdefault(key, _Known())
        slots = known.slots
        if judged.attempts:
            fresh = (slot_of(now), judged.attempts, judged.failures)
            slots = recent([*slots, fresh], now)
        writes = known.closed and self._writes(known, slots)
        if not (writes or judged.probes or (wanted and not known.closed)):
            turn.slots[key] = slots
            return
        row = _locked(key, create=writes)
        if row is None:
            self._see(key, None)
            turn.slots[key] = slots
            return
        before = _values(row)
        was_closed = row.is_closed
        if judged.error and judged.failures:
            row.failed(judged.error, now)
        probes = [item for item in judged.probes if row.is_probe(*_step(item))]
        for draft, node_id, good in probes:
            _probed(row, draft, node_id, judged, now, good=good)
        if was_closed and row.count(slots, now):
            _say_open(row, judged)
        _hold_back(row, wanted, now)
        if _values(row) != before:
            row.save()
        known.written = time.monotonic()
        turn.slots[key] = []
        self._see(key, row)

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


def link_of(held: Held, node_id: str) -> tuple[UUID, str] | None:
    """Id and name of the connection that this step uses, if it does."""
    node = held.version.nodes.get(node_id) if held.version is not None else None
    if node is None or not node.connection:
        return None
    found = held.supplies.connections.get(node.connection)
    return (found.id, found.name) if found is not None and found.id else None


def is_good(outcome: Any) -> bool | None:
    """Whether the receiver works; None where nothing was sent that could tell.

    An answer below 500 is one of a receiver that works, also 408, 425 and 429 (their
    Retry-After is the retry's): a 4xx is about the request.
    """
    attempt = getattr(outcome, "attempt", None)
    if attempt is None:
        return None
    if isinstance(outcome, Done):
        return True
    if attempt.response_status is not None:
        return bool(attempt.response_status < 500)
    if attempt.error_kind == "token" and isinstance(outcome, Retry):
        return False  # its token endpoint is away, which holds threads as well
    return False if attempt.error_kind in FAILURES else None


def _error(outcome: Any) -> str:
    error = getattr(outcome, "error", None)
    return f"{error.error_class}: {error.message}" if error is not None else ""


def _step(probe: tuple[Draft, str, bool | None]) -> tuple[UUID, str]:
    return probe[0].held.run_id, probe[1]


def _locked(key: UUID, *, create: bool) -> Breaker | None:
    rows = Breaker.objects.select_for_update(no_key=True)
    row = rows.filter(pk=key).first()
    if row is None and create:
        Breaker.objects.bulk_create([Breaker(pk=key)], ignore_conflicts=True)
        row = rows.filter(pk=key).first()
    return row


def _values(row: Breaker) -> list[Any]:
    return [getattr(row, item.attname) for item in row._meta.concrete_fields]


def _probed(
    row: Breaker,
    draft: Draft,
    node_id: str,
    judged: Judged,
    now: datetime,
    *,
    good: bool | None,
) -> None:
    row.probed(now, good=good)
    if good is None:
        return
    name = judged.name
    if row.is_closed:
        message = f"Connection {name} answers again: its breaker is closed."
    else:
        message = f"Connection {name} still fails: the next probe is in {row.pause} s."
    draft.log(message, node_id=node_id)
    logger.warning("%s (run %s)", message, draft.held.run_id)


def _say_open(row: Breaker, judged: Judged) -> None:
    attempts, failures = row.totals()
    message = (
        f"The breaker of connection {judged.name} opens: {failures} of {attempts} "
        f"requests failed within a minute. Steps that use it wait; a probe is made in "
        f"{row.pause} s."
    )
    if judged.last is not None:
        judged.last.log(message, level="warning")
    logger.warning("%s Last error: %s", message, row.last_error)


def _hold_back(
    row: Breaker, wanted: Sequence[tuple[Draft, Task]], now: datetime
) -> None:
    """Of these steps at most one goes through, as the probe; the others wait."""
    if row.is_closed:
        return
    first = True
    for draft, task in wanted:
        lease = timedelta(seconds=task.node.timeout) + PROBE_MARGIN
        if row.take_probe(draft.held.run_id, task.node.id, now, lease):
            continue
        draft.hold_back(task, _until(row, now, first=first), _why(row, task))
        first = False


def _until(row: Breaker, now: datetime, *, first: bool) -> datetime:
    """When a step that was held back comes again: not all of them at once."""
    if row.state == Breaker.State.PROBING or row.probe_at is None:
        wait = PROBE_LOOK * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load
        return now + timedelta(seconds=wait)
    if first:
        return max(row.probe_at, now)
    spread = min(row.pause / 2, LONGEST_SPREAD)
    wait = random.uniform(0, spread)  # noqa: S311 - spreads load
    return max(row.probe_at, now) + timedelta(seconds=wait)


def _why(row: Breaker, task: Task) -> str:
    since = f"{row.opened_at:%Y-%m-%d %H:%M:%S} UTC" if row.opened_at else "a while"
    error = f" The last error: {row.last_error}" if row.last_error else ""
    return (
        f"Held back: connection {task.node.connection} has failed too often, its "
        f"breaker is open since {since}. This uses up no attempt.{error}"
    )
