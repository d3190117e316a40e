"""Whom a claim chooses: shares by priority, nobody starved, nothing taken twice."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runs.engine.shares import crowded, pick_by_priority, pick_fairly, shares_of

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Waiting:
    id: int
    workflow_id: str
    priority: int
    due_at: datetime


_ids = itertools.count(1)


def waiting(flow: str, count: int, priority: int = 2, due: int = 0) -> list[Waiting]:
    """So many jobs of this workflow, due one after the other from a second on."""
    return [
        Waiting(next(_ids), flow, priority, START + timedelta(seconds=due + n))
        for n in range(count)
    ]


def shares(chosen: list[Waiting]) -> Counter[str]:
    return Counter(item.workflow_id for item in chosen)


def test_workflows_of_one_priority_share_alike() -> None:
    crowd, small = waiting("crowd", 100), waiting("small", 100, due=1000)

    found = shares(pick_fairly(crowd + small, 40))

    assert abs(found["crowd"] - found["small"]) <= 4, "a tenth goes by age"


def test_a_priority_is_a_weight_across_workflows() -> None:
    urgent, normal = waiting("urgent", 100, 0), waiting("normal", 100, due=1000)
    low = waiting("low", 100, 3, due=2000)

    found = shares(pick_fairly(urgent + normal + low, 65))

    assert 3 <= found["urgent"] / found["normal"] <= 5.5
    assert 1.5 <= found["normal"] / found["low"] <= 2.5


def test_a_single_event_is_chosen_beside_any_crowd() -> None:
    crowd = waiting("crowd", 1000, 0)
    (single,) = waiting("single", 1, 3, due=5000)

    assert single in pick_fairly([*crowd, single], 10)


def test_within_a_workflow_the_urgent_come_first() -> None:
    normal, urgent = waiting("a", 50), waiting("a", 5, 0, due=1000)

    assert set(urgent) <= set(pick_fairly(normal + urgent, 10))
    assert set(urgent) <= set(pick_by_priority(normal + urgent, 10))


def test_a_full_claim_of_few_workflows_is_crowded() -> None:
    """Also when two share it, behind which a third one waits."""
    two = waiting("a", 8) + waiting("b", 8)
    all_different = [item for n in range(16) for item in waiting(f"w{n}", 1)]

    assert crowded(two, 16)
    assert crowded(waiting("a", 16), 16)
    assert not crowded(two, 17), "not full"
    assert not crowded(all_different, 16)


def test_more_of_the_urgent_are_looked_at() -> None:
    assert shares_of(8, 64) == {0: 32, 1: 16, 2: 8, 3: 4}
    assert shares_of(1, 64) == {0: 4, 1: 2, 2: 1, 3: 1}
    assert shares_of(40, 64)[0] == 64, "never more than a claim wants"


JOBS = st.lists(
    st.builds(
        Waiting,
        id=st.integers(1, 10**6),
        workflow_id=st.sampled_from("abcdef"),
        priority=st.integers(0, 3),
        due_at=st.integers(0, 10**5).map(lambda s: START + timedelta(seconds=s)),
    ),
    max_size=80,
    unique_by=lambda item: item.id,
)


@given(JOBS, st.integers(1, 64))
def test_what_is_chosen_is_allowed_once_and_as_many_as_wanted(
    allowed: list[Waiting], want: int
) -> None:
    for pick in (pick_fairly, pick_by_priority):
        chosen = pick(allowed, want)
        assert len(chosen) == len(set(chosen)) == min(want, len(allowed))
        assert set(chosen) <= set(allowed)


@given(JOBS, st.integers(10, 64))
def test_the_oldest_of_all_is_always_chosen(allowed: list[Waiting], want: int) -> None:
    if not allowed:
        return
    oldest = min(item.due_at for item in allowed)
    for pick in (pick_fairly, pick_by_priority):
        assert oldest in {item.due_at for item in pick(allowed, want)}
