"""Joins are decided once, whatever finishes beside each other in real drains."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import Any

import pytest
from django.db.models import Count

from runs.models import Run, StepRun
from runs.states import RunStatus
from tests.runs.drains import drained
from tests.runs.flows import again, edge, many, node, publish, started, steps
from tests.runs.kinds import teach, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")
WIDTH = 100
ROUNDS = 20


class Witness:
    """How often each step of each run was performed, and what had been before it."""

    def __init__(self) -> None:
        self.performed: Counter[tuple[str, str]] = Counter()
        self.before: dict[str, int] = {}
        self._lock = threading.Lock()

    def begins(self, context: Context) -> None:
        with self._lock:
            self.performed[context.run.id, context.node_id] += 1

    def works(self, context: Context) -> Outcome:
        """Takes some milliseconds, by chance."""
        self.begins(context)
        time.sleep(random.uniform(0, 0.01))
        return Done()

    def fails(self, context: Context) -> Outcome:
        """As `works`, and fails."""
        self.works(context)
        return Fail(ErrorInfo("Told", "as told"))

    def joins(self, context: Context) -> Outcome:
        """Counts what was performed before it."""
        with self._lock:
            before = sum(run == context.run.id for run, _ in self.performed)
            self.before[context.run.id] = before
        return self.works(context)


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Witness:
    found = Witness()
    teach(monkeypatch, work=found.works, fail=found.fails, join=found.joins)
    return found


def drains() -> dict[str, Any]:
    return {"count": 4, "threads": 32, "within": 100}


def fan(*ways: dict[str, Any], on: str = "success") -> Workflow:
    """A step, these beside each other, and one that joins them."""
    begin, join = told("begin", "work"), told("join", "join")
    links = [edge("begin", item["id"]) for item in ways]
    links += [edge(item["id"], "join", on) for item in ways]
    return publish(begin, *ways, join, connections=links)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_hundred_finishers_join_once(witness: Witness) -> None:
    """Twenty runs at once, each with a hundred steps beside each other."""
    flow = fan(*(told(f"way-{n}", "work") for n in range(WIDTH)))
    runs = many(flow, ROUNDS)

    drained(**drains())

    assert set(witness.performed.values()) == {1}
    assert len(witness.performed) == ROUNDS * (WIDTH + 2)
    assert witness.before == {str(run.pk): WIDTH + 1 for run in runs}
    ended = Run.objects.values_list("status").annotate(Count("pk"))
    assert list(ended) == [(RunStatus.SUCCEEDED, ROUNDS)]
    succeeded = StepRun.objects.filter(node_id="join", status="succeeded", attempt=1)
    assert succeeded.count() == ROUNDS


def test_a_join_waits_for_failures_that_are_told_to_continue(witness: Witness) -> None:
    ways = [
        told(f"way-{n}", "fail" if n % 2 else "work", on_error="continue")
        for n in range(20)
    ]
    runs = many(fan(*ways), ROUNDS)

    drained(**drains())

    assert witness.before == {str(run.pk): 21 for run in runs}
    assert set(witness.performed.values()) == {1}


def test_a_join_of_failure_branches_runs_once_when_any_is_taken(
    witness: Witness,
) -> None:
    ways = [
        told(f"way-{n}", "work" if n else "fail", on_error="branch") for n in range(20)
    ]
    runs = many(fan(*ways, on="failure"), ROUNDS)

    drained(**drains())

    assert witness.before == {str(run.pk): 21 for run in runs}
    assert set(witness.performed.values()) == {1}
    assert {again(run).status for run in runs} == {RunStatus.SUCCEEDED}


def test_a_join_of_failure_branches_is_skipped_when_none_is_taken(
    witness: Witness,
) -> None:
    ways = [told(f"way-{n}", "work", on_error="branch") for n in range(20)]
    run = started(fan(*ways, on="failure"))

    drained(**drains())

    assert steps(run)["join"] == "skipped"
    assert again(run).status == RunStatus.SUCCEEDED
    assert not witness.before


def test_skipped_paths_do_not_hold_up_the_join_of_a_diamond(witness: Witness) -> None:
    """One side is skipped through two steps, the other one is taken."""
    ask = node("ask", "branch", {"condition": "{{ trigger.payload.n }} > 9"})
    sides = [told(key, "work") for key in ("big", "bigger", "small")]
    links = [
        edge("ask", "big", "true"),
        edge("big", "bigger"),
        edge("ask", "small", "false"),
        edge("bigger", "join"),
        edge("small", "join"),
    ]
    flow = publish(ask, *sides, told("join", "join"), connections=links)
    runs = many(flow, ROUNDS)  # n from 0 on

    drained(**drains())

    small = {"ask": "succeeded", "small": "succeeded", "join": "succeeded"}
    big = {"ask": "succeeded", "big": "succeeded", "bigger": "succeeded"}
    assert steps(runs[0]) == {**small, "big": "skipped", "bigger": "skipped"}
    assert steps(runs[-1]) == {**big, "join": "succeeded", "small": "skipped"}
    joined = [count for (_, key), count in witness.performed.items() if key == "join"]
    assert joined == [1] * ROUNDS


def test_diamonds_one_after_the_other_are_walked_once(witness: Witness) -> None:
    """Ten in a row: each joins before the next one begins."""
    nodes, links = [told("d0", "work")], []
    for n in range(10):
        left, right, end = f"l{n}", f"r{n}", f"d{n + 1}"
        nodes += [told(left, "work"), told(right, "work"), told(end, "work")]
        links += [edge(f"d{n}", left), edge(f"d{n}", right)]
        links += [edge(left, end), edge(right, end)]
    runs = many(publish(*nodes, connections=links), ROUNDS)

    drained(**drains())

    assert set(witness.performed.values()) == {1}
    assert len(witness.performed) == ROUNDS * 31
    assert {again(run).status for run in runs} == {RunStatus.SUCCEEDED}
