"""plan() against a slow reference, and along whole runs of random graphs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runs.engine.plan import Edge, Graph, Plan, StepState, plan
from runs.states import FINAL_STEP, RunStatus, StepStatus
from tests.runs.engine.reference import Told, World, names

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PORTS = ("success", "failure", "true", "false")
RULES = ("stop", "continue", "branch")

SIDE_PORTS = (frozenset({"false"}), frozenset({"true", "false"}))


@st.composite
def definitions(draw: st.DrawFn, most: int = 9) -> dict[str, Any]:
    """A random acyclic graph, its nodes listed in no particular order."""
    count = draw(st.integers(1, most))
    ids = [f"n{number}" for number in range(count)]
    nodes = [{"id": key, "on_error": draw(st.sampled_from(RULES))} for key in ids]
    pairs = [(a, b) for b in range(count) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    links = [
        {"from": ids[a], "to": ids[b], "on": draw(st.sampled_from(PORTS))}
        for a, b in chosen
    ]
    return {"nodes": draw(st.permutations(nodes)), "connections": links}


def states_for(ids: list[str]) -> st.SearchStrategy[dict[str, StepState]]:
    """Any states at all, also those that no run would reach."""
    due = st.sampled_from([None, -1, 0, 1]).map(
        lambda s: None if s is None else NOW + timedelta(seconds=s)
    )
    state = st.builds(
        StepState,
        status=st.sampled_from(list(StepStatus)),
        due_at=due,
        waiting_for=st.sampled_from(["", "time", "retry"]),
        port=st.sampled_from(["", "true", "false"]),
        exhausted=st.booleans(),
    )
    return st.dictionaries(st.sampled_from(ids), state)


def world(
    definition: dict[str, Any],
    states: dict[str, StepState],
    now: datetime,
    start: Iterable[str],
    side: dict[str, frozenset[str]],
) -> World:
    """The same as the reference takes it."""
    return World(
        nodes=tuple(node["id"] for node in definition["nodes"]),
        edges=tuple(
            Edge(item["from"], item["to"], item["on"])
            for item in definition["connections"]
        ),
        on_error={node["id"]: node["on_error"] for node in definition["nodes"]},
        states=states,
        now=now,
        entries=frozenset(start),
        side_ports=side,
    )


def assert_same(result: Plan, told: Told) -> None:
    """The planner says what the reference says."""
    assert names(result.start) == told.start
    assert names(result.complete) == told.complete
    assert names(result.skip) == told.skip
    assert names(result.cancel) == told.cancel
    assert (result.end is not None) == told.ends


@given(data=st.data())
@settings(max_examples=150)
def test_it_says_what_the_slow_reference_says(data: st.DataObject) -> None:
    definition = data.draw(definitions())
    ids = [node["id"] for node in definition["nodes"]]
    states = data.draw(states_for(ids))
    start = data.draw(st.lists(st.sampled_from(ids), unique=True, max_size=3))
    side = data.draw(st.dictionaries(st.sampled_from(ids), st.sampled_from(SIDE_PORTS)))

    result = plan(Graph.of(definition, side), states, NOW, start)

    told = world(definition, states, NOW, start, side).tell()
    assert_same(result, told)
    if result.end and told.stopped_by:
        assert result.end.failed in told.stopped_by
        spent = states[result.end.failed].exhausted
        assert result.end.status == (
            RunStatus.DEAD_LETTER if spent else RunStatus.FAILED
        )
    elif result.end:
        assert result.end.status is RunStatus.SUCCEEDED


class Walk:
    """One run of a graph from its first step to its end, with dice for outcomes."""

    def __init__(self, definition: dict[str, Any], seed: int) -> None:
        self.dice = random.Random(seed)
        ids = [node["id"] for node in definition["nodes"]]
        sides = {key: self.dice.choice([frozenset(), *SIDE_PORTS]) for key in ids}
        self.definition, self.sides = definition, sides
        self.graph = Graph.of(definition, sides)
        self.states: dict[str, StepState] = {}
        self.begun: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.now = NOW

    def go(self) -> Plan:
        for _ in range(1000):
            step = plan(self.graph, self.states, self.now)
            self._ask_the_reference(step)
            if step.end is not None:
                self._apply(step)
                return step
            self._apply(step)
            running = self._in(StepStatus.RUNNING)
            waiting = self._in(StepStatus.WAITING)
            assert running or waiting, "nothing is under way and the run goes on"
            if running:
                self._finish(self.dice.choice(running))
            else:
                assert step.due_at is not None
                assert step.due_at > self.now
                self.now = step.due_at
        raise AssertionError("the run never ends")

    def _ask_the_reference(self, step: Plan) -> None:
        """After each change, from the states kept so far: the same as from scratch."""
        told = world(self.definition, self.states, self.now, (), self.sides).tell()
        assert_same(step, told)

    def _in(self, status: StepStatus) -> list[str]:
        return sorted(n for n, s in self.states.items() if s.status is status)

    def _apply(self, step: Plan) -> None:
        for node in step.start:
            previous = self.states.get(node)
            if previous is None:
                self.begun[node] += 1
            else:
                assert previous.status is StepStatus.WAITING
            self.states[node] = StepState(StepStatus.RUNNING)
        for group, status in (
            (step.complete, StepStatus.SUCCEEDED),
            (step.skip, StepStatus.SKIPPED),
            (step.cancel, StepStatus.CANCELLED),
        ):
            for node in group:
                self._settle(node, StepState(status))

    def _settle(self, node: str, state: StepState) -> None:
        previous = self.states.get(node)
        assert previous is None or previous.status not in FINAL_STEP
        self.states[node] = state

    def _finish(self, node: str) -> None:
        due = self.now + timedelta(seconds=self.dice.randint(1, 5))
        outcomes = [
            StepState(StepStatus.SUCCEEDED),
            StepState(StepStatus.SUCCEEDED, port="false"),
            StepState(StepStatus.SUCCEEDED, port="true"),
            StepState(StepStatus.FAILED, exhausted=self.dice.random() < 0.5),
            StepState(StepStatus.WAITING, waiting_for="time", due_at=due),
        ]
        if self.tries[node] < 3:
            self.tries[node] += 1
            outcomes.append(
                StepState(StepStatus.WAITING, waiting_for="retry", due_at=due)
            )
        self._settle(node, self.dice.choice(outcomes))


@given(definition=definitions(30), seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_every_run_ends_once_with_every_step_final(
    definition: dict[str, Any], seed: int
) -> None:
    walk = Walk(definition, seed)

    end = walk.go().end

    assert set(walk.states) == set(walk.graph.order)
    assert {state.status for state in walk.states.values()} <= FINAL_STEP
    assert all(count == 1 for count in walk.begun.values()), "a step began twice"
    stops = {
        node
        for node, state in walk.states.items()
        if state.status is StepStatus.FAILED and walk.graph.on_error[node] == "stop"
    }
    assert end is not None
    assert (end.status is RunStatus.SUCCEEDED) == (not stops)
    assert end.failed in (stops or {""})


@given(definition=definitions(12), seed=st.integers(0, 2**32))
@settings(max_examples=200)
def test_a_finished_run_is_planned_no_further(
    definition: dict[str, Any], seed: int
) -> None:
    walk = Walk(definition, seed)
    end = walk.go().end

    again = plan(walk.graph, walk.states, walk.now)

    assert again == Plan(end=end)


@given(definition=definitions(12))
def test_every_connection_points_forward(definition: dict[str, Any]) -> None:
    graph = Graph.of(definition)
    place = {node: number for number, node in enumerate(graph.order)}

    assert len(place) == len(definition["nodes"])
    for edge in definition["connections"]:
        assert place[edge["from"]] < place[edge["to"]]
