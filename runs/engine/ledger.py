"""The transactions of a drain, with what to do when one of them fails."""

from __future__ import annotations

import functools
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.conf import settings
from django.db import Error

from automate.lib.database import is_away, repeat, write_transaction
from runs.engine import callees, permits, sql, takeover, waits
from runs.engine.breakers import Breakers
from runs.engine.breakers import Turn as BreakersTurn
from runs.engine.claim import Claim, Claimer
from runs.engine.clock import DatabaseClock, database_now
from runs.engine.doubt import was_applied
from runs.engine.draft import Draft
from runs.engine.drafting import begun, drafted
from runs.engine.ending import Ending
from runs.engine.fence import lock
from runs.engine.held import Held
from runs.engine.late import attempts_of, keep_late
from runs.engine.load import load, load_again
from runs.engine.record import Batch, end_alone
from runs.engine.task import Result
from runs.states import RunStatus
from workflows.actions.outcomes import ErrorInfo, StartChildren

logger = logging.getLogger(__name__)

Work = Mapping[Held, list[Result]]
NEVER = datetime.max.replace(tzinfo=UTC)


class DatabaseAway(Exception):
    """The database cannot be reached; nothing was decided, try again later."""


@dataclass(slots=True)
class Written:
    """What a transaction did: committed drafts, and runs that were no longer ours.

    Of its claim: how many jobs were `asked` for, `claimed`, and `parked` behind their
    exclusive keys; `contended` as Claim has it. `resumed`: part of the work was not
    part of it, so look at `took`. `lease_ends` is monotonic seconds.
    """

    drafts: list[Draft] = field(default_factory=list)
    lost: list[tuple[Held, list[Result]]] = field(default_factory=list)
    claimed: int = 0
    asked: int = 0
    parked: int = 0
    contended: bool = False
    resumed: bool = False
    lease_ends: float = 0.0
    now: datetime = NEVER  # the database's, of the claim
    breakers: BreakersTurn = field(default_factory=BreakersTurn)

    def apply(self) -> None:
        """It is committed: runs in memory follow. Never part of what is repeated."""
        for draft in self.drafts:
            draft.apply(self.lease_ends)

    def took(self, result: Result) -> bool:
        """True when this transaction stored the result."""
        return any(
            draft.held is result.held and result.node_id in draft.settled
            for draft in self.drafts
        )


class Ledger:
    """Claims and records for one drain. Not thread-safe: the drain's own thread."""

    def __init__(
        self, claimer: Claimer | None = None, clock: DatabaseClock | None = None
    ) -> None:
        self._claimer = claimer or Claimer()
        self._clock = clock or DatabaseClock()
        self._breakers = Breakers()
        self._doubt: tuple[Batch, Written] | None = None
        self._late: list[tuple[Held, list[Result]]] = []

    def turn(
        self, work: Work, free: int, want: int = 0, *, suspect: bool = False
    ) -> Written:
        """Store these results, plan what follows, claim `want` more: one transaction.

        `suspect`: claim one run whose lease ran out before, to run it alone.

        When that fails for a reason in the data, the runs are recorded one by one, so
        that only the broken one ends (I9). Raises DatabaseAway; then nothing is lost:
        call again with the same work (and more), and a commit whose answer was lost
        is recognised.
        """
        if self._doubt is not None:
            settled = self._resolve()
            if settled is not None:
                return settled
        try:
            written = repeat(lambda: self._turn(work, free, want, suspect=suspect))
        except Exception as error:
            if is_away(error):
                raise DatabaseAway from error
            logger.exception("recording and claiming again, run by run")
            self._doubt = None
            written = self._singly(work, free, want, suspect=suspect)
        else:
            self._apply(written)
        self._late += written.lost
        self._keep_late()
        return written

    def _claim(self, want: int, *, suspect: bool) -> Claim:
        return self._claimer.claim_suspect() if suspect else self._claimer.claim(want)

    def _load(self, claim: Claim, lease_ends: float) -> list[Held]:
        loaded = load(claim, lease_ends)
        self._breakers.learn(loaded)
        return loaded

    def _apply(self, written: Written) -> None:
        written.apply()
        self._breakers.apply(written.breakers)

    def _turn(
        self, work: Work, free: int, want: int = 0, *, suspect: bool = False
    ) -> Written:
        written = Written()
        sent = time.monotonic()
        with write_transaction():
            locked, now = lock(work) if work else ({}, None)
            batch = Batch(now or database_now())
            self._doubt = batch, written
            # On SQLite the time was read after queueing for its one writer.
            self._clock.set(batch.now, time.monotonic() if sql.is_sqlite() else sent)
            waits.look_up(work)
            begins = _begins(work)
            callees.look_up((held, item) for held, _, item in begins)
            takeover.look_up((held, key, item.inputs) for held, key, item in begins)
            for held, results in work.items():
                if held.let_go or not locked[held.job_id].held:
                    written.lost.append((held, results))
                    continue
                if locked[held.job_id].signal_count != held.signal_count:
                    load_again(held)
                    held.signal_count = locked[held.job_id].signal_count
                free -= len(drafted(held, results, batch, free).tasks)
            if min(want, free) > 0:
                claim = self._claim(min(want, free), suspect=suspect)
                written.claimed, written.asked = len(claim.jobs), min(want, free)
                written.parked, written.contended = claim.parked, claim.contended
                written.now = batch.now
                for held in self._load(claim, sent + settings.LEASE):
                    free -= len(begun(held, batch, free).tasks)
            written.breakers = self._breakers.turn(work, batch.drafts, batch.now)
            permits.reserve(batch.drafts, batch.now)
            batch.write()
        self._doubt = None
        written.drafts, written.lease_ends = batch.drafts, sent + settings.LEASE
        return written

    # --- when a transaction fails for a reason in the data ----------------------------

    def _singly(self, work: Work, free: int, want: int, *, suspect: bool) -> Written:
        """Record run by run; claim without planning, then plan run by run."""
        written = self._record_singly(work, free)
        free -= sum(len(draft.tasks) for draft in written.drafts)
        if written.resumed or min(want, free) <= 0:
            return written
        try:
            with write_transaction():
                sent = time.monotonic()
                claim = self._claim(min(want, free), suspect=suspect)
            loaded = self._load(claim, sent + settings.LEASE)
        except Error as error:
            # What was recorded stands; the next turn claims.
            logger.warning("could not claim: %s", error)
            return written
        part = self._record_singly({held: [] for held in loaded}, free)
        written.resumed = part.resumed
        written.drafts += part.drafts
        written.lost += part.lost
        written.claimed, written.asked = len(claim.jobs), min(want, free)
        return written

    def _record_singly(self, work: Work, free: int) -> Written:
        """Each run in a transaction of its own, as long as the database is there.

        When it goes away on the way, what was committed stands and is returned as
        `resumed`, so that the rest is recorded later; DatabaseAway when nothing was.
        """
        written = Written()
        for held, results in work.items():
            work_of_one = functools.partial(self._turn, {held: results}, free)
            try:
                part = self._or_give_up(held, work_of_one)
            except DatabaseAway:
                if not written.drafts and not written.lost:
                    raise
                written.resumed = True
                break
            self._apply(part)
            written.drafts += part.drafts
            written.lost += part.lost
            free -= sum(len(draft.tasks) for draft in part.drafts)
        return written

    def _or_give_up(self, held: Held, work: Callable[[], Written]) -> Written:
        try:
            try:
                return repeat(work)
            except Exception as error:
                if is_away(error):
                    raise
                self._doubt = None
                repeat(functools.partial(_give_up, held, error))
                return Written(lost=[(held, [])])
        except Error as error:
            raise DatabaseAway from error

    def _keep_late(self) -> None:
        """Store what came too late as history; afterwards, so that it spoils nothing.

        The transaction has committed: whatever happens here must not repeat it. What
        cannot be stored while the database is away is tried again with the next turn.
        """
        while self._late:
            held, results = self._late.pop()
            attempts = attempts_of(held, results)
            if not attempts:
                continue
            logger.warning(
                "discarding %d late result(s) of run %s", len(attempts), held.run_id
            )
            try:
                with write_transaction():
                    keep_late(held, attempts)
            except Exception as error:
                if is_away(error):
                    self._late.append((held, results))
                    return
                logger.exception("the history of run %s is incomplete", held.run_id)

    # --- a commit whose answer was lost ----------------------------------------------

    def _resolve(self) -> Written | None:
        """Whether the transaction in doubt was applied; None when it was not.

        A transaction applies whole, so its runs tell for each other. A job that stands
        as before is proof that it was not applied, even where another run looks as
        if: that one may have been reaped and finished by somebody else meanwhile.
        """
        assert self._doubt is not None  # noqa: S101 - asked only when in doubt
        batch, written = self._doubt
        sent = time.monotonic()
        try:
            marks = {was_applied(draft) for draft in batch.drafts}
        except Error as error:
            raise DatabaseAway from error
        self._doubt = None
        if False in marks or True not in marks:
            return None
        # The lease's true end is not known: the next beat tells.
        settled = Written(
            batch.drafts, resumed=True, lease_ends=sent, breakers=written.breakers
        )
        self._apply(settled)
        return settled


def _give_up(held: Held, error: Exception) -> None:
    """This run alone cannot be written: it ends as failed, with the reason."""
    # The first line only: the others may quote the row.
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    reason = held.supplies.redactor.text(reason)
    logger.error("run %s cannot be recorded: %s", held.run_id, reason)
    message = f"Its result could not be stored: {reason}"
    ending = Ending(RunStatus.FAILED, ErrorInfo("unstorable", message[:2000]))
    with write_transaction():
        end_alone(held, ending)


def _begins(work: Work) -> list[tuple[Held, str, StartChildren]]:
    """The steps that want to start children."""
    return [
        (held, result.node_id, result.outcome)
        for held, results in work.items()
        for result in results
        if isinstance(result.outcome, StartChildren)
    ]


def grouped(results: Iterable[Result]) -> dict[Held, list[Result]]:
    """Results by their run, in the order in which they came."""
    work: dict[Held, list[Result]] = defaultdict(list)
    for result in results:
        work[result.held].append(result)
    return work
