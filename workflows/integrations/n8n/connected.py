"""Which nodes a workflow has, what they are called here, and what leads to what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workflows.definition.names import slug
from workflows.definition.schema import RESERVED_IDS
from workflows.integrations.n8n.flow import Builder, Flow, LoopPorts, reached
from workflows.integrations.n8n.nodes import base
from workflows.integrations.n8n.source import STICKY_NOTE, Edge, Node, Source

UNCONNECTED = "not_connected"
NOTHING = "nothing"
PART = -2  # an output that leads to what serves a node


@dataclass(frozen=True, slots=True)
class Connected:
    """The nodes by their names, and the graph of those that become steps.

    `triggers` become triggers and nothing else; `stand_ins` are triggers that have no
    counterpart: each is a step too, which stands for it. `serves` has what hangs on
    another node as its part (`ai_tool`), with the name of that one.
    """

    nodes: Mapping[str, Node]
    ids: Mapping[str, str]
    triggers: frozenset[str]
    stand_ins: frozenset[str]
    serves: Mapping[str, str]
    flow: Flow

    def node_of_step(self, id_: str) -> str:
        """The node that a step was made of; "" for a step that stands for none."""
        return next((name for name, own in self.ids.items() if own == id_), "")

    def node_of_trigger(self, id_: str) -> str:
        """The node that a trigger was made of; several may share one."""
        return self.node_of_step(id_.partition("--")[0])


def connected(source: Source, warn: Callable[[str], None]) -> Connected:
    """The graph without what no definition can have: that is told by `warn`."""
    nodes = {node.name: node for node in source.nodes if node.type != STICKY_NOTE}
    starting = {name for name, node in nodes.items() if base.is_trigger(node)}
    plain = {name for name in starting if base.starter_of(nodes[name]) is not None}
    serves = _serves(source, nodes, starting)
    edges = list(_edges(source, nodes, starting, warn))
    steps = [name for name in nodes if name not in plain]
    starts = [name for name in nodes if name in starting]
    loose = _loose(edges, serves, steps, starts)
    edges += [
        Edge(served, PART, name)
        for name, served in serves.items()
        if served not in plain
    ]
    lists = _lists(nodes, edges)

    def ports(node: Node) -> LoopPorts | None:
        return None if node.name in lists else base.loop_ports(node)

    builder = Builder(nodes, ports, base.is_gathering)
    return Connected(
        nodes=nodes,
        ids=_ids(nodes),
        triggers=frozenset(plain),
        stand_ins=frozenset(starting - plain),
        serves=serves,
        flow=builder.build(steps, edges, [*starts, *loose]),
    )


def _lists(nodes: Mapping[str, Node], edges: list[Edge]) -> set[str]:
    """Nodes that only make the list of a loop behind them: they are none themselves."""
    found = set()
    for name, node in nodes.items():
        ports = base.loop_ports(node)
        if ports is None or not ports.gathers:
            continue
        targets = {edge.target for edge in edges if edge.source == name}
        if all(_takes_lists(nodes[target]) for target in targets):
            found.add(name)
    return found


def _takes_lists(node: Node) -> bool:
    """Whether it begins a loop, or gathers, and so takes all items at once."""
    ports = base.loop_ports(node)
    return base.is_gathering(node) or (ports is not None and not ports.gathers)


def _ids(nodes: Mapping[str, Node]) -> dict[str, str]:
    """Ids of letters, digits and underscores, so that expressions read well."""
    taken = {*RESERVED_IDS, UNCONNECTED, NOTHING}
    ids: dict[str, str] = {}
    for name, node in nodes.items():
        plain = slug(name) or slug(node.kind) or "step"
        wanted = plain.replace("-", "_").strip("_")[:44] or "step"
        found, number = wanted, 1
        while found in taken:
            number += 1
            found = f"{wanted}_{number}"
        taken.add(found)
        ids[name] = found
    return ids


def _serves(
    source: Source, nodes: Mapping[str, Node], starting: set[str]
) -> dict[str, str]:
    """Nodes that serve others (`ai_tool`): they hang on what they serve."""
    main = {name for edge in source.main() for name in (edge.source, edge.target)}
    serves: dict[str, str] = {}
    for edge in source.attached():
        known = edge.source in nodes and edge.target in nodes
        if known and edge.source not in main | starting:
            serves.setdefault(edge.source, edge.target)
    for name in list(serves):  # in a circle they serve nobody
        seen, at = {name}, serves[name]
        while at in serves and at not in seen:
            seen.add(at)
            at = serves[at]
        if at in seen:
            serves.pop(name)
    return serves


def _edges(
    source: Source,
    nodes: Mapping[str, Node],
    starting: set[str],
    warn: Callable[[str], None],
) -> list[Edge]:
    found = []
    for edge in source.main():
        if edge.source not in nodes or edge.target not in nodes:
            continue
        if edge.target in starting:
            warn(f'"{edge.source}" leads to a trigger: left out')
            continue
        found.append(edge)
    return found


def _loose(
    edges: list[Edge], serves: Mapping[str, str], steps: list[str], starts: list[str]
) -> list[str]:
    """Where what no trigger leads to begins: n8n never runs it by itself."""
    served = [Edge(target, 0, name) for name, target in serves.items()]
    there = reached([*edges, *served], starts)
    rest = [name for name in steps if name not in there]
    targets = {edge.target for edge in [*edges, *served]}
    found = [name for name in rest if name not in targets]
    left = set(rest) - reached([*edges, *served], found)
    for name in rest:  # circles that nothing leads into
        if name in left:
            found.append(name)
            left -= reached([*edges, *served], [name])
    return found
