"""The transactions of a drain, with what to do when one of them fails."""

from __future__ import annotations

import functools
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError

from automate.lib.database import is_repeatable, repeat, write_transaction
from runs.engine.claim import Claimer
from runs.engine.draft import Draft, Ending, attempt_row
from runs.engine.held import Held
from runs.engine.load import load, load_steps
from runs.engine.perform import Result
from runs.engine.record import Batch, database_now, end_alone, keep_late, lock
from runs.models import Job, Run
from runs.states import RunStatus
from workflows.actions.outcomes import ErrorInfo

logger = logging.getLogger(__name__)

Work = Mapping[Held, list[Result]]


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
    asked: int = 0
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

    def turn(self, work: Work, free: int, want: int = 0) -> Written:
        """Store these results, plan what follows, claim `want` more: one transaction.

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
            return repeat(lambda: self._turn(work, free, want))
        except Exception as error:
            if is_away(error):
                raise DatabaseAway from error
            logger.exception("recording and claiming again, run by run")
        self._doubt = None
        return self._singly(work, free, want)

    def claim_suspect(self, free: int) -> Written:
        """Claim one run whose lease ran out before, to run it alone."""
        try:
            with write_transaction():
                sent = time.monotonic()
                claim = self._claimer.claim_suspect()
            if not claim.jobs:
                return Written()
            loaded = load(claim, sent + settings.LEASE)
        except DatabaseError as error:
            raise DatabaseAway from error
        written = self.turn({held: [] for held in loaded}, free)
        written.claimed = len(claim.jobs)
        return written

    def _turn(self, work: Work, free: int, want: int) -> Written:
        written = Written()
        sent = time.monotonic()
        with write_transaction():
            locked, now = lock(work) if work else ({}, None)
            batch = self._doubt = Batch(now or database_now())
            for held, results in work.items():
                if not locked[held.job_id].held:
                    written.lost.append((held, results))
                    continue
                if locked[held.job_id].signal_count != held.signal_count:
                    load_steps([held])
                    held.signal_count = locked[held.job_id].signal_count
                free -= len(_drafted(held, results, batch, free).tasks)
            if min(want, free) > 0:
                claim = self._claimer.claim(min(want, free))
                written.claimed = len(claim.jobs)
                written.asked = min(want, free)
                for held in load(claim, sent + settings.LEASE):
                    draft = _drafted(held, [], batch, free)
                    draft.fresh_lease = True
                    free -= len(draft.tasks)
            batch.write()
        self._doubt = None
        for draft in batch.drafts:
            draft.apply(sent + settings.LEASE)
        written.drafts = batch.drafts
        self._keep_late(written.lost)
        return written

    # --- when a transaction fails for a reason in the data ----------------------------

    def _singly(self, work: Work, free: int, want: int) -> Written:
        """Record run by run; claim without planning, then plan run by run."""
        written = self._record_singly(work, free)
        free -= sum(len(draft.tasks) for draft in written.drafts)
        if min(want, free) <= 0:
            return written
        try:
            with write_transaction():
                sent = time.monotonic()
                claim = self._claimer.claim(min(want, free))
            loaded = load(claim, sent + settings.LEASE)
        except DatabaseError as error:
            # What was recorded stands; the next turn claims.
            logger.warning("could not claim: %s", error)
            return written
        part = self._record_singly({held: [] for held in loaded}, free)
        written.drafts += part.drafts
        written.lost += part.lost
        written.claimed, written.asked = len(claim.jobs), min(want, free)
        return written

    def _record_singly(self, work: Work, free: int) -> Written:
        written = Written()
        for held, results in work.items():
            work_of_one = functools.partial(self._turn, {held: results}, free, 0)
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
    if draft.fresh_lease and not draft.released:
        return job is not None and bool(job["lease_token"] == held.token)
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
