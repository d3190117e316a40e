"""The transactions of a drain, with what to do when one of them fails."""

from __future__ import annotations

import functools
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError

from automate.lib.database import is_repeatable, repeat, write_transaction
from runs.engine.claim import Claim, Claimer
from runs.engine.draft import Draft, Ending, attempt_row
from runs.engine.held import Held
from runs.engine.load import load, load_steps
from runs.engine.perform import Result
from runs.engine.record import Batch, database_now, end_alone, keep_late, lock
from runs.models import Job, Run
from runs.states import RunStatus
from workflows.actions.outcomes import ErrorInfo

logger = logging.getLogger(__name__)


class DatabaseAway(Exception):
    """The database cannot be reached; nothing was decided, try again later."""


def is_away(error: BaseException) -> bool:
    """True for a lost or refused connection; False for bad data and bugs."""
    if isinstance(error, InterfaceError):
        return True
    return isinstance(error, OperationalError) and not is_repeatable(error)


@dataclass(slots=True)
class Written:
    """What a transaction did: committed drafts, and runs that were no longer ours."""

    drafts: list[Draft] = field(default_factory=list)
    lost: list[tuple[Held, list[Result]]] = field(default_factory=list)
    claimed: int = 0
    resumed: bool = False

    def took(self, result: Result) -> bool:
        """True when this transaction stored the result."""
        return any(
            draft.held is result.held and result.node_id in draft.settled
            for draft in self.drafts
        )


class Ledger:
    """Claims and records for one drain. Not thread-safe: the drain's own thread."""

    def __init__(self, claimer: Claimer | None = None) -> None:
        self._claimer = claimer or Claimer()
        self._doubt: Batch | None = None

    # --- claiming ------------------------------------------------------------------

    def claim(self, want: int, free: int, *, suspect: bool = False) -> Written:
        """Claim, load, plan and mark the first steps running, in one transaction.

        When that fails for a reason in the data, the claim is made alone and the runs
        are planned one by one, so that only the broken one ends. Raises DatabaseAway.
        """
        try:
            return repeat(lambda: self._claim(want, free, suspect=suspect))
        except Exception as error:
            if is_away(error):
                raise DatabaseAway from error
            logger.exception("claiming again, run by run")
        return self._claim_singly(want, free, suspect=suspect)

    def _take(self, want: int, *, suspect: bool) -> tuple[Claim, float]:
        sent = time.monotonic()
        claim = self._claimer.claim_suspect() if suspect else self._claimer.claim(want)
        return claim, sent + settings.LEASE

    def _claim(self, want: int, free: int, *, suspect: bool) -> Written:
        with write_transaction():
            claim, lease_ends = self._take(want, suspect=suspect)
            if not claim.jobs:
                return Written()
            batch = Batch(database_now())
            for held in load(claim, lease_ends):
                draft = _drafted(held, [], batch, free)
                draft.fresh_lease = True
                free -= len(draft.tasks)
            batch.write()
        for draft in batch.drafts:
            draft.apply(lease_ends)
        return Written(batch.drafts, claimed=len(claim.jobs))

    def _claim_singly(self, want: int, free: int, *, suspect: bool) -> Written:
        with write_transaction():
            claim, lease_ends = self._take(want, suspect=suspect)
        written = self.record({held: [] for held in load(claim, lease_ends)}, free)
        written.claimed = len(claim.jobs)
        return written

    # --- recording -----------------------------------------------------------------

    def record(self, work: dict[Held, list[Result]], free: int) -> Written:
        """Store these results and plan what follows, in one fenced transaction.

        Raises DatabaseAway; then nothing is lost: call again with the same work (and
        more), and a commit whose answer was lost is recognised.
        """
        if self._doubt is not None:
            settled = self._resolve()
            if settled is not None:
                return settled
        try:
            return repeat(lambda: self._record(work, free))
        except Exception as error:
            if is_away(error):
                raise DatabaseAway from error
            logger.exception("recording again, run by run")
        return self._record_singly(work, free)

    def _record(self, work: dict[Held, list[Result]], free: int) -> Written:
        written = Written()
        sent = time.monotonic()
        with write_transaction():
            locked = lock(work)
            batch = self._doubt = Batch(database_now())
            for held, results in work.items():
                if not locked[held.job_id].held:
                    written.lost.append((held, results))
                    continue
                if locked[held.job_id].signal_count != held.signal_count:
                    load_steps([held])
                    held.signal_count = locked[held.job_id].signal_count
                free -= len(_drafted(held, results, batch, free).tasks)
            batch.write()
        self._doubt = None
        for draft in batch.drafts:
            draft.apply(sent + settings.LEASE)
        written.drafts = batch.drafts
        self._keep_late(written.lost)
        return written

    def _record_singly(self, work: dict[Held, list[Result]], free: int) -> Written:
        self._doubt = None
        written = Written()
        for held, results in work.items():
            work_of_one = functools.partial(self._record, {held: results}, free)
            try:
                part = repeat(work_of_one)
            except Exception as error:
                if is_away(error):
                    raise DatabaseAway from error
                self._doubt = None
                part = self._give_up(held, error)
            written.drafts += part.drafts
            written.lost += part.lost
            free -= sum(len(draft.tasks) for draft in part.drafts)
        return written

    @staticmethod
    def _give_up(held: Held, error: Exception) -> Written:
        """This run alone cannot be written: it ends as failed, with the reason."""
        logger.error("run %s cannot be recorded: %s", held.run_id, error)
        message = f"Its result could not be stored: {type(error).__name__}: {error}"
        ending = Ending(RunStatus.FAILED, ErrorInfo("unstorable", message[:2000]))

        def end() -> None:
            with write_transaction():
                end_alone(held, ending)

        repeat(end)
        return Written(lost=[(held, [])])

    @staticmethod
    def _keep_late(lost: Iterable[tuple[Held, list[Result]]]) -> None:
        for held, results in lost:
            logger.warning(
                "discarding %d late result(s) of run %s", len(results), held.run_id
            )
            attempts = _attempts_of(held, results)
            if attempts:
                with write_transaction():
                    keep_late(held, attempts)

    # --- a commit whose answer was lost ----------------------------------------------

    def _resolve(self) -> Written | None:
        """Whether the transaction in doubt was applied; None when it was not.

        A transaction applies whole, so one of its runs tells for all: its `seq` has
        advanced under our token, or its job is gone and the run ended as drafted.
        """
        batch, sent = self._doubt, time.monotonic()
        assert batch is not None  # noqa: S101 - asked only when in doubt
        try:
            applied = any(_was_applied(draft) for draft in batch.drafts)
        except DatabaseError as error:
            raise DatabaseAway from error
        self._doubt = None
        if not applied:
            return None
        for draft in batch.drafts:
            draft.apply(sent)  # the lease's true end is not known: the next beat tells
        return Written(drafts=batch.drafts, resumed=True)


def _was_applied(draft: Draft) -> bool:
    held = draft.held
    job = Job.objects.filter(pk=held.job_id).values("lease_token", "seq").first()
    if draft.ending is not None:
        ended = Run.objects.filter(pk=held.run_id, status=draft.ending.status)
        return job is None and ended.exists()
    if job is None or job["seq"] != held.seq + 1:
        return False
    return draft.released or bool(job["lease_token"] == held.token)


def _drafted(held: Held, results: Sequence[Result], batch: Batch, free: int) -> Draft:
    """The run's draft, added to the batch; an exception ends this run alone (I9)."""
    draft = Draft(held, batch.now)
    try:
        if held.broken is not None:
            raise held.broken
        for result in results:
            draft.settle(result)
        draft.advance(free)
    except Exception as error:
        logger.exception("run %s cannot go on", held.run_id)
        draft = Draft(held, batch.now)
        message = f"{type(error).__name__}: {error}"
        draft.stop(Ending(RunStatus.FAILED, ErrorInfo("internal", message[:2000])))
    batch.drafts.append(draft)
    return draft


def _attempts_of(held: Held, results: Iterable[Result]) -> list[tuple[str, Any]]:
    rows = []
    for result in results:
        record = getattr(result.outcome, "attempt", None)
        if record is not None:
            rows.append(
                (result.node_id, attempt_row(held.run_id, result.attempt, record))
            )
    return rows


def grouped(results: Iterable[Result]) -> dict[Held, list[Result]]:
    """Results by their run, in the order in which they came."""
    work: dict[Held, list[Result]] = defaultdict(list)
    for result in results:
        work[result.held].append(result)
    return work
