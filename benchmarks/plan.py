"""What planning costs: `python -m benchmarks.plan` prints milliseconds of CPU.

For graphs of 500 steps: reading the graph, `plan()` at the first, the middle and the
last step, and what a drain does in memory with one step's result, planning included.
"""

from __future__ import annotations

import os
import random
import time
import timeit
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import django

from runs.engine.plan import Graph, StepState, plan
from runs.states import StepStatus

NODES = 500
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Definition = dict[str, Any]


def line() -> Definition:
    """One step after the other."""
    return _definition((n, n + 1) for n in range(NODES - 1))


def fan() -> Definition:
    """A step, 498 beside each other, and one that joins them."""
    middle = range(1, NODES - 1)
    return _definition([*((0, n) for n in middle), *((n, NODES - 1) for n in middle)])


def layers(width: int = 20, seed: int = 1) -> Definition:
    """25 layers of 20 steps, each with one to four connections from the one before."""
    dice = random.Random(seed)
    links = []
    for node in range(width, NODES):
        above = range(node // width * width - width, node // width * width)
        links += [(source, node) for source in dice.sample(above, dice.randint(1, 4))]
    return _definition(links)


GRAPHS: dict[str, Callable[[], Definition]] = {
    "a line": line,
    "a fan-out and a join": fan,
    "25 random layers": layers,
}


def _definition(links: Any) -> Definition:
    nodes = [
        {"id": f"n{n}", "type": "set", "config": {"values": {}}} for n in range(NODES)
    ]
    edges = [{"from": f"n{a}", "to": f"n{b}", "on": "success"} for a, b in links]
    return {"nodes": nodes, "connections": edges}


def milliseconds(call: Callable[[], Any]) -> float:
    """CPU of one call, the best of five rounds."""
    timer = timeit.Timer(call, timer=time.process_time)
    rounds, _ = timer.autorange()
    return min(timer.repeat(5, rounds)) / rounds * 1000


def walked(graph: Graph, done: int) -> dict[str, StepState]:
    """The first steps have succeeded, the next one runs."""
    states = {key: StepState(StepStatus.SUCCEEDED) for key in graph.order[:done]}
    return states | {graph.order[done]: StepState(StepStatus.RUNNING)}


def measure(definition: Definition) -> Iterator[tuple[str, float]]:
    """Each figure of one graph, by name."""
    yield "reading the graph", milliseconds(lambda: Graph.of(definition))
    graph = Graph.of(definition)
    for name, done in (("first", 0), ("middle", NODES // 2), ("last", NODES - 1)):
        states = walked(graph, done)
        cost = milliseconds(lambda states=states: plan(graph, states, NOW))  # type: ignore[misc]
        yield f"plan at the {name} step", cost
    yield "a result in the middle, in memory", milliseconds(_turn(definition))


def _turn(definition: Definition) -> Callable[[], None]:
    """What a drain does with the result of the step in the middle, until it writes."""
    from runs.engine.draft import Draft
    from runs.engine.held import Held, state_of
    from runs.engine.settling import settle
    from runs.engine.task import Result
    from runs.engine.versions import compile_version
    from runs.models import Run, StepRun
    from workflows.actions.outcomes import Done
    from workflows.models import WorkflowVersion

    version = compile_version(WorkflowVersion(id=uuid4(), definition=definition))
    run = Run(id=uuid4(), start=[])
    held = Held(1, run.pk, uuid4(), None, uuid4(), 0.0, run, version=version)
    here = NODES // 2
    for node_id, state in walked(version.graph, here).items():
        status, key = state.status, held.key_of(node_id, 0)
        row = StepRun(
            pk=1, run=run, node_id=node_id, kind="set", status=status,
            idempotency_key=key,
        )  # fmt: skip
        held.rows[node_id], held.states[node_id] = row, state_of(row)
    result = Result(held, version.graph.order[here], 1, Done({}))

    def turn() -> None:
        draft = Draft(held, NOW)
        settle(draft, result)
        draft.advance(32)

    return turn


def main() -> None:
    """Print a block for each graph."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "automate.settings")
    django.setup()
    for name, make in GRAPHS.items():
        print(f"{NODES} steps, {name}")
        for figure, cost in measure(make()):
            print(f"  {figure:<36} {cost:8.3f} ms")


if __name__ == "__main__":
    main()
