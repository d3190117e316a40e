"""What a run does next: a pure function of its graph and the states of its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from runs.states import FINAL_STEP, RunStatus, StepStatus


@dataclass(frozen=True, slots=True)
class Edge:
    """A connection: `target` may start when `source` took the port `on`."""

    source: str
    target: str
    on: str = "success"


@dataclass(frozen=True, slots=True)
class Graph:
    """A version's nodes in an order in which every connection points forward.

    `side_ports` are a node's ports that are no success, `drawn` those that some
    connection leaves.
    """

    order: tuple[str, ...]
    incoming: Mapping[str, tuple[Edge, ...]]
    on_error: Mapping[str, str]
    side_ports: Mapping[str, frozenset[str]] = field(default_factory=dict)
    drawn: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        definition: Mapping[str, Any],
        side_ports: Mapping[str, frozenset[str]] | None = None,
    ) -> Graph:
        """The graph of a canonical definition. Raises ValueError for a cycle."""
        nodes = definition.get("nodes", [])
        incoming: dict[str, list[Edge]] = {node["id"]: [] for node in nodes}
        drawn: dict[str, set[str]] = {}
        for item in definition.get("connections", []):
            edge = Edge(item["from"], item["to"], item.get("on", "success"))
            incoming[edge.target].append(edge)
            drawn.setdefault(edge.source, set()).add(edge.on)
        return cls(
            order=_sorted(incoming),
            incoming={key: tuple(edges) for key, edges in incoming.items()},
            on_error={node["id"]: node.get("on_error", "stop") for node in nodes},
            side_ports=side_ports or {},
            drawn={key: frozenset(ports) for key, ports in drawn.items()},
        )

    def leaves(self, node: str, port: str) -> bool:
        """Whether a connection leaves this port."""
        return port in self.drawn.get(node, frozenset())

    def is_side(self, node: str, port: str) -> bool:
        """Whether this port of the node is no success."""
        return port in self.side_ports.get(node, frozenset())


def _sorted(incoming: Mapping[str, list[Edge]]) -> tuple[str, ...]:
    missing = {key: len(edges) for key, edges in incoming.items()}
    outgoing: dict[str, list[str]] = {key: [] for key in incoming}
    for edges in incoming.values():
        for edge in edges:
            outgoing[edge.source].append(edge.target)
    ready = [key for key, count in missing.items() if count == 0]
    order: list[str] = []
    for key in ready:
        order.append(key)
        for target in outgoing[key]:
            missing[target] -= 1
            if missing[target] == 0:
                ready.append(target)
    if len(order) != len(incoming):
        msg = "the definition has a cycle"
        raise ValueError(msg)
    return tuple(order)


@dataclass(frozen=True, slots=True)
class StepState:
    """Where one step stands, as far as the plan depends on it.

    A step that was never started has no state, or is pending when a redrive brought its
    idempotency key along. `exhausted`: it failed because its tries were used up.
    """

    status: StepStatus
    due_at: datetime | None = None
    waiting_for: str = ""
    port: str = ""
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """How the run ends, and the step that decided it when it did not succeed."""

    status: RunStatus
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows now.

    `start`: steps to begin or begin again. `complete`: steps whose waited-for time
    has come, done with their stored output. `skip`: steps that can no longer run.
    `cancel`: waiting steps of a run that ends. `due_at`: when the next waiting step is
    due. `end` is set when nothing is left to do.
    """

    start: tuple[str, ...] = ()
    complete: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    due_at: datetime | None = None
    end: End | None = None


def ports_taken(graph: Graph, node: str, state: StepState) -> frozenset[str]:
    """The ports of a finished step that its connections may follow.

    A step that took a port of its own has succeeded too, unless it is a side port.
    """
    if state.status is StepStatus.SUCCEEDED:
        if state.port and graph.is_side(node, state.port):
            return frozenset({state.port})
        return frozenset({state.port or "success", "success"})
    if state.status is StepStatus.FAILED:
        by_rule = {"continue": "success", "branch": "failure"}
        taken = by_rule.get(graph.on_error[node])
        return frozenset({taken}) if taken else frozenset()
    return frozenset()


def plan(
    graph: Graph,
    states: Mapping[str, StepState],
    now: datetime,
    start: Iterable[str] = (),
) -> Plan:
    """What follows from these states at `now`.

    `start` are the trigger's start nodes; empty means every node without a connection
    into it. A node runs when all its incoming connections are decided and at least
    one is taken; when none is taken it is skipped. After a failure with
    `on_error: stop` nothing more begins and the run ends once nothing is in flight.
    """
    entries = frozenset(start)
    known = dict(states)
    stopped = _stopped_by(graph, known)
    begin: list[str] = []
    complete: list[str] = []
    skip: list[str] = []
    for node in graph.order:
        state = known.get(node)
        if state is None or state.status is StepStatus.PENDING:
            decision = _decide(graph, known, node, entries)
            if decision is False:
                known[node] = StepState(StepStatus.SKIPPED)
                skip.append(node)
            elif decision and stopped is None:
                begin.append(node)
        elif stopped is None and _is_due(state, now):
            if state.waiting_for == "time":
                known[node] = replace(state, status=StepStatus.SUCCEEDED)
                complete.append(node)
            else:
                begin.append(node)
    if stopped is not None:
        return _stop(graph, known, stopped, skip)
    return _outcome(known, begin, complete, skip)


def _is_due(state: StepState, now: datetime) -> bool:
    waiting = state.status is StepStatus.WAITING
    return waiting and state.due_at is not None and state.due_at <= now


def _stopped_by(graph: Graph, states: Mapping[str, StepState]) -> str | None:
    for node in graph.order:
        state = states.get(node)
        failed = state is not None and state.status is StepStatus.FAILED
        if failed and graph.on_error[node] == "stop":
            return node
    return None


def _decide(
    graph: Graph, states: Mapping[str, StepState], node: str, entries: frozenset[str]
) -> bool | None:
    """True: runs now. False: never. None: not decided yet."""
    if node in entries:
        return True
    edges = graph.incoming[node]
    if not edges:
        return not entries
    taken = False
    for edge in edges:
        source = states.get(edge.source)
        if source is None or source.status not in FINAL_STEP:
            return None
        taken = taken or edge.on in ports_taken(graph, edge.source, source)
    return taken


def _stop(
    graph: Graph, known: dict[str, StepState], failed: str, skip: list[str]
) -> Plan:
    statuses = {node: state.status for node, state in known.items()}
    if StepStatus.RUNNING in statuses.values():
        return Plan(skip=tuple(skip))
    rest = [node for node in graph.order if node not in known]
    open_steps = (StepStatus.WAITING, StepStatus.PENDING)
    cancel = [node for node, status in statuses.items() if status in open_steps]
    exhausted = known[failed].exhausted
    status = RunStatus.DEAD_LETTER if exhausted else RunStatus.FAILED
    return Plan(
        skip=(*skip, *rest), cancel=tuple(cancel), end=End(status, failed=failed)
    )


def _outcome(
    known: Mapping[str, StepState],
    begin: list[str],
    complete: list[str],
    skip: list[str],
) -> Plan:
    dues = [
        state.due_at
        for node, state in known.items()
        if state.status is StepStatus.WAITING
        and state.due_at is not None
        and node not in begin
    ]
    held_open = (StepStatus.RUNNING, StepStatus.WAITING)
    busy = any(state.status in held_open for state in known.values())
    done = not begin and not busy
    return Plan(
        start=tuple(begin),
        complete=tuple(complete),
        skip=tuple(skip),
        due_at=min(dues, default=None),
        end=End(RunStatus.SUCCEEDED) if done else None,
    )
