"""plan() by example: joins, branches, failures, waits, large graphs."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.plan import GRAPHS
from runs.engine import plan as module
from runs.engine.plan import End, Graph, Plan, StepState, plan
from runs.states import RunStatus, StepStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOON = NOW + timedelta(seconds=5)
DONE = StepState(StepStatus.SUCCEEDED)
RUNNING = StepState(StepStatus.RUNNING)
FAILED = StepState(StepStatus.FAILED)
SKIPPED = StepState(StepStatus.SKIPPED)


def graph(*links: str, nodes: str = "", **on_error: str) -> Graph:
    """`graph("a>b", "a>c:failure", a="branch")`."""
    connections = []
    ids = list(nodes)
    for link in links:
        pair, _, port = link.partition(":")
        source, target = pair.split(">")
        ids += [key for key in (source, target) if key not in ids]
        connections.append({"from": source, "to": target, "on": port or "success"})
    made: list[dict[str, Any]] = [
        {"id": key, "on_error": on_error.get(key, "stop")} for key in ids
    ]
    return Graph.of({"nodes": made, "connections": connections})


def waiting(what: str, due: datetime | None) -> StepState:
    return StepState(StepStatus.WAITING, waiting_for=what, due_at=due)


DIAMOND = graph("a>b", "a>c", "b>d", "c>d")


def test_a_run_begins_with_the_steps_that_nothing_leads_to() -> None:
    assert plan(graph("a>c", "b>c"), {}, NOW) == Plan(start=("a", "b"))


def test_start_nodes_leave_the_rest_out() -> None:
    step = plan(graph("a>b", "x>y"), {}, NOW, start=["x"])

    assert step.start == ("x",)
    assert set(step.skip) == {"a", "b"}


def test_a_start_node_begins_whatever_leads_to_it() -> None:
    assert plan(graph("a>b"), {}, NOW, start=["b"]) == Plan(start=("b",), skip=("a",))


def test_a_join_waits_for_every_branch() -> None:
    assert plan(DIAMOND, {"a": DONE, "b": DONE, "c": RUNNING}, NOW) == Plan()


def test_a_join_runs_once_when_all_branches_are_decided() -> None:
    states = {"a": DONE, "b": DONE, "c": DONE}

    assert plan(DIAMOND, states, NOW).start == ("d",)
    assert plan(DIAMOND, states | {"d": RUNNING}, NOW).start == ()


def test_a_join_runs_when_one_branch_is_taken_and_the_other_skipped() -> None:
    assert plan(DIAMOND, {"a": DONE, "b": DONE, "c": SKIPPED}, NOW).start == ("d",)


def test_skipping_goes_on_down_the_line_and_ends_the_run() -> None:
    line = graph("a>b:failure", "b>c", "c>d")

    step = plan(line, {"a": DONE}, NOW)

    assert step == Plan(skip=("b", "c", "d"), end=End(RunStatus.SUCCEEDED))


def test_a_port_names_the_connections_that_are_taken() -> None:
    fork = graph("a>yes:true", "a>no:false")
    state = StepState(StepStatus.SUCCEEDED, port="true")

    assert plan(fork, {"a": state}, NOW) == Plan(start=("yes",), skip=("no",))


def test_a_step_that_took_a_port_of_its_own_has_succeeded_too() -> None:
    fork = graph("a>yes:true", "a>always")
    state = StepState(StepStatus.SUCCEEDED, port="true")

    assert plan(fork, {"a": state}, NOW) == Plan(start=("yes", "always"))


def test_a_side_port_is_no_success() -> None:
    fork = replace(
        graph("a>late:timeout", "a>always"), side_ports={"a": frozenset({"timeout"})}
    )
    state = StepState(StepStatus.SUCCEEDED, port="timeout")

    assert plan(fork, {"a": state}, NOW) == Plan(start=("late",), skip=("always",))


@pytest.mark.parametrize(
    ("rule", "begun", "skipped"),
    [("continue", "next", "rescue"), ("branch", "rescue", "next")],
)
def test_on_error_says_where_a_failure_leads(
    rule: str, begun: str, skipped: str
) -> None:
    fork = graph("a>next", "a>rescue:failure", a=rule)

    assert plan(fork, {"a": FAILED}, NOW) == Plan(start=(begun,), skip=(skipped,))


def test_a_handled_failure_leaves_the_run_succeeded() -> None:
    fork = graph("a>rescue:failure", a="branch")

    step = plan(fork, {"a": FAILED, "rescue": DONE}, NOW)

    assert step.end == End(RunStatus.SUCCEEDED)


def test_after_a_stop_nothing_begins_and_what_is_in_flight_ends_first() -> None:
    two = graph("a>b", "x>y")

    assert plan(two, {"a": FAILED, "x": RUNNING}, NOW).end is None
    assert plan(two, {"a": FAILED, "x": DONE}, NOW) == Plan(
        skip=("b", "y"), end=End(RunStatus.FAILED, failed="a")
    )


def test_a_stop_cancels_what_waits() -> None:
    step = plan(graph(nodes="ab"), {"a": FAILED, "b": waiting("retry", SOON)}, NOW)

    assert step == Plan(cancel=("b",), end=End(RunStatus.FAILED, failed="a"))


def test_used_up_retries_are_a_dead_letter() -> None:
    spent = StepState(StepStatus.FAILED, exhausted=True)

    assert plan(graph(nodes="a"), {"a": spent}, NOW).end == End(
        RunStatus.DEAD_LETTER, failed="a"
    )


def test_a_waiting_step_says_when_it_is_due() -> None:
    later = SOON + timedelta(seconds=1)
    states = {"a": waiting("retry", later), "b": waiting("time", SOON)}

    assert plan(graph(nodes="ab"), states, NOW) == Plan(due_at=SOON)


def test_a_due_retry_begins_again_and_a_due_delay_completes() -> None:
    line = graph("a>c", "b>c")
    states = {"a": waiting("retry", NOW), "b": waiting("time", NOW)}

    assert plan(line, states, NOW) == Plan(start=("a",), complete=("b",))


def test_what_follows_a_delay_begins_in_the_same_plan() -> None:
    step = plan(graph("a>b"), {"a": waiting("time", NOW)}, NOW)

    assert step == Plan(start=("b",), complete=("a",))


def test_waiting_without_a_time_keeps_the_run_open() -> None:
    assert plan(graph(nodes="a"), {"a": waiting("person", None)}, NOW) == Plan()


def test_a_step_that_was_carried_over_pending_begins() -> None:
    pending = StepState(StepStatus.PENDING)

    assert plan(graph("a>b"), {"a": DONE, "b": pending}, NOW).start == ("b",)


def test_a_pending_step_waits_for_what_leads_to_it() -> None:
    pending = StepState(StepStatus.PENDING)

    assert plan(graph("a>b"), {"b": pending}, NOW) == Plan(start=("a",))
    assert plan(graph("a>b:failure"), {"a": DONE, "b": pending}, NOW) == Plan(
        skip=("b",), end=End(RunStatus.SUCCEEDED)
    )


def test_an_empty_graph_has_succeeded() -> None:
    assert plan(graph(), {}, NOW) == Plan(end=End(RunStatus.SUCCEEDED))


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        graph("a>b", "b>c", "c>a", "x>a")


def test_each_connection_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 steps, 10,000 connections: the work grows with them and no faster."""
    layers = [[f"n{layer}-{place}" for place in range(20)] for layer in range(25)]
    links = [
        {"from": a, "to": b}
        for above, below in itertools.pairwise(layers)
        for a in above
        for b in below
    ]
    nodes = [{"id": key} for layer in layers for key in layer]
    large = Graph.of({"nodes": nodes, "connections": links})
    states = {node["id"]: DONE for node in nodes[:-20]}
    looks = 0
    real = module.ports_taken

    def counted(*args: Any) -> frozenset[str]:
        nonlocal looks
        looks += 1
        return real(*args)

    monkeypatch.setattr(module, "ports_taken", counted)

    assert set(plan(large, states, NOW).start) == set(layers[-1])
    assert looks <= len(links)


@pytest.mark.parametrize(
    "shape", ["a line", "a fan-out and a join", "25 random layers"]
)
def test_five_hundred_steps_are_planned_in_milliseconds(shape: str) -> None:
    """CPU time; `python -m benchmarks.plan` tells the figures, below one."""
    large = Graph.of(GRAPHS[shape]())
    states = dict.fromkeys(list(large.order)[:250], DONE)
    costs = []
    for _ in range(10):
        before = time.thread_time()
        plan(large, states, NOW)
        costs.append(time.thread_time() - before)
    assert min(costs) < 0.025


def test_a_line_of_five_hundred_steps_is_planned_step_by_step() -> None:
    ids = [f"s{number}" for number in range(500)]
    links = [{"from": a, "to": b} for a, b in itertools.pairwise(ids)]
    line = Graph.of({"nodes": [{"id": key} for key in ids], "connections": links})
    states: dict[str, StepState] = {}
    for key in ids:
        assert plan(line, states, NOW).start == (key,)
        states[key] = DONE
    assert plan(line, states, NOW).end == End(RunStatus.SUCCEEDED)
