"""What a claim may take: slots of limited workflows, turns of exclusive keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from runs.engine import exclusive
from runs.engine.exclusive import Key, Turn
from runs.models import Job

if TYPE_CHECKING:
    from runs.engine.claim import Candidate

BLOCKED_FOR = 0.25  # seconds for which a workflow at its limit is passed over


class Limits:
    """The limits as one claim sees them; each is asked once.

    A workflow is locked before its slots are counted or its keys are given: without
    the lock two drains count the same free slot. `contended`: another claim has that
    lock at this moment, so that what was passed over is worth another look soon.
    """

    def __init__(self, blocked: dict[UUID, float], moment: float) -> None:
        self._blocked = blocked
        self._moment = moment
        self._locks: dict[UUID, bool] = {}
        self._room: dict[UUID, int] = {}
        self._turns: dict[Key, Turn] = {}
        self._waiting: set[Key] = set()
        self.contended = False

    def within(self, found: Iterable[Candidate]) -> list[Candidate]:
        """Those that may run: it is their key's turn, and there is a slot."""
        found = list(found)
        self._ask(found)
        return [item for item in found if self._has_turn(item) and self._has_slot(item)]

    def settle(self, chosen: Sequence[Candidate]) -> int:
        """These are leased: they hold their slots and keys; parks who must wait.

        Returns how many were parked.
        """
        limited = [item.id for item in chosen if item.limit is not None]
        if limited:
            Job.objects.filter(pk__in=limited).update(holds_slot=True)
        keyed = [item.id for item in chosen if item.exclusive_key]
        if keyed:
            Job.objects.filter(pk__in=keyed).update(holds_key=True)
        return exclusive.park({key: self._turns[key] for key in self._waiting})

    # --- exclusive keys ------------------------------------------------------------

    def _ask(self, found: Sequence[Candidate]) -> None:
        """Learn whose turn it is for the keys among these, in one query."""
        keys = {
            _key(item)
            for item in found
            if item.exclusive_key and not item.holds_key and self._lock(item)
        }
        fresh = keys - self._turns.keys()
        if not fresh:
            return
        turns = exclusive.look(sorted(fresh))
        self._turns |= turns
        here = {item.id for item in found}
        lost = [
            k for k, turn in turns.items() if not turn.held and turn.first not in here
        ]
        if lost:  # stands further behind, or is parked although nobody has the key
            exclusive.release(lost)

    def _has_turn(self, item: Candidate) -> bool:
        if not item.exclusive_key or item.holds_key:
            return True
        turn = self._turns.get(_key(item))
        if turn is None:  # another claim has the workflow's lock
            return False
        if not turn.held and turn.first == item.id:
            return True
        self._waiting.add(_key(item))
        return False

    # --- max_concurrent_runs -------------------------------------------------------

    def _has_slot(self, item: Candidate) -> bool:
        if item.limit is None or item.holds_slot:
            return True
        if item.workflow_id not in self._room:
            self._room[item.workflow_id] = self._free_slots(item, item.limit)
        if self._room[item.workflow_id] > 0:
            self._room[item.workflow_id] -= 1
            return True
        if self._lock(item):
            self._blocked[item.workflow_id] = self._moment + BLOCKED_FOR
        return False

    def _free_slots(self, item: Candidate, limit: int) -> int:
        if not self._lock(item):
            return 0
        rows = Job.objects.filter(workflow_id=item.workflow_id, holds_slot=True)
        return limit - rows.count()

    def _lock(self, item: Candidate) -> bool:
        workflow = item.workflow_id
        if workflow not in self._locks:
            self._locks[workflow] = exclusive.try_lock(workflow)
            self.contended = self.contended or not self._locks[workflow]
        return self._locks[workflow]


def _key(item: Candidate) -> Key:
    return Key(item.workflow_id, item.exclusive_key)
