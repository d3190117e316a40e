"""Whom a claim chooses among the jobs that may run: a pure decision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

# What a job costs its workflow, by priority: beside a workflow of priority 2, one of
# priority 0 gets four runs for one, and one of priority 3 half of one.
COST: Mapping[int, int] = {0: 1, 1: 2, 2: 4, 3: 8}


class Waiting(Protocol):
    """A due job, as far as the choice sees it."""

    @property
    def id(self) -> int: ...
    @property
    def workflow_id(self) -> object: ...
    @property
    def priority(self) -> int: ...
    @property
    def due_at(self) -> datetime: ...


J = TypeVar("J", bound=Waiting)


def shares_of(share: int, want: int) -> dict[int, int]:
    """How many jobs of each priority to look at where a normal one gives `share`."""
    normal = COST[2]
    return {
        priority: min(-(-share * normal // cost), want)
        for priority, cost in COST.items()
    }


def crowded(chosen: Sequence[Waiting], want: int) -> bool:
    """True when a few workflows fill a claim, behind which others may wait."""
    if len(chosen) < want or want < 2:
        return False
    return 2 * len({item.workflow_id for item in chosen}) <= want


def pick_by_priority(allowed: Sequence[J], want: int) -> list[J]:
    """`want` of them: by priority, but a tenth by age alone, so that none starves."""
    if len(allowed) <= want:
        return list(allowed)
    first = sorted(allowed, key=lambda item: (item.priority, item.due_at))
    return _with_the_oldest(first, allowed, want)


def pick_fairly(allowed: Sequence[J], want: int) -> list[J]:
    """`want` of them: each workflow its share, weighted by priority; a tenth by age.

    Weighted fair queueing: a workflow's jobs, the more urgent first, are placed one
    after the other at the sum of their costs, and the smallest places are taken.
    """
    if len(allowed) <= want:
        return list(allowed)
    mine: dict[object, list[J]] = defaultdict(list)
    for item in sorted(allowed, key=lambda item: (item.priority, item.due_at)):
        mine[item.workflow_id].append(item)
    places: list[tuple[int, datetime, int, J]] = []
    for items in mine.values():
        place = 0
        for item in items:
            place += COST[item.priority]
            places.append((place, item.due_at, item.id, item))
    places.sort(key=lambda found: found[:3])
    return _with_the_oldest([found[3] for found in places], allowed, want)


def _with_the_oldest(first: Sequence[J], allowed: Iterable[J], want: int) -> list[J]:
    chosen = {item.id: item for item in first[: want - want // 10]}
    for item in sorted(allowed, key=lambda item: item.due_at):
        if len(chosen) == want:
            break
        chosen.setdefault(item.id, item)
    return list(chosen.values())
