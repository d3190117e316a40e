"""The steps and connections of a document, from what the nodes became."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from workflows.integrations.n8n.connected import PART, Connected
from workflows.integrations.n8n.findings import Findings
from workflows.integrations.n8n.flow import Level, reached
from workflows.integrations.n8n.nodes.base import Made
from workflows.integrations.n8n.placeholders import leads_back
from workflows.integrations.n8n.source import Edge

Graph = dict[str, Any]  # {"nodes": [...], "connections": [...]}
CUT_OFF = "no connection leads to it within its loop"


class Drawing:
    """Draws levels. `give_up` makes a placeholder of a node that has no place."""

    def __init__(
        self,
        connected: Connected,
        made: MutableMapping[str, Made],
        findings: Findings,
        give_up: Callable[[str, str], Made],
    ) -> None:
        self.connected = connected
        self.made = made
        self.findings = findings
        self.give_up = give_up
        self.moved: list[str] = []

    def draw(self) -> Graph:
        """The whole workflow; what is cut off within a loop stands beside it."""
        graph = self._graph(self.connected.flow.levels[""])
        for name in self.moved:
            self.made[name] = self.give_up(name, CUT_OFF)
            graph["nodes"].append(self._node(name))
        return graph

    def _graph(self, level: Level) -> Graph:
        """The steps and connections of a level."""
        nodes = [self._node(name) for name in level.members]
        connections: list[dict[str, Any]] = []
        for edge in level.edges:
            if edge.source in self.made:
                connections += self._connections(edge, self.connected.ids[edge.target])
        for edge in level.cut:
            back = self._back(edge, nodes)
            connections += self._connections(edge, back)
        unique = {(c["from"], c["to"], c["on"]): c for c in connections}
        graph = {"nodes": nodes, "connections": list(unique.values())}
        return self._entered(level, graph) if level.owner else graph

    def _entered(self, level: Level, graph: Graph) -> Graph:
        """A body starts all that nothing leads into: only where n8n enters it."""
        edges = [Edge(c["from"], 0, c["to"]) for c in graph["connections"]]
        entries = [self.connected.ids[name] for name in level.entries]
        there = reached(edges, entries)
        for node in graph["nodes"]:
            name = self.connected.node_of_step(node["id"])
            if node["id"] not in there and name:
                self.moved.append(name)
        return {
            "nodes": [node for node in graph["nodes"] if node["id"] in there],
            "connections": [
                c
                for c in graph["connections"]
                if c["from"] in there and c["to"] in there
            ],
        }

    def _connections(self, edge: Edge, target: str) -> list[dict[str, Any]]:
        made = self.made[edge.source]
        if edge.output == PART:
            ports = ["attached"] if made.type == "placeholder" else []
        else:
            ports = made.ports.get(edge.output, [])
            if not ports:
                self.findings.differ(
                    edge.source,
                    f'its output {edge.output} to "{edge.target}" is never taken',
                )
        own = self.connected.ids[edge.source]
        return [{"from": own, "to": target, "on": port} for port in ports]

    def _back(self, edge: Edge, nodes: list[dict[str, Any]]) -> str:
        """The step in which a circle ends: it fails, and says that there are none."""
        target = edge.target
        if edge.source not in self.made:
            return self.connected.ids[target]
        id_ = f"back_to_{self.connected.ids[target]}"[:64]
        if all(node["id"] != id_ for node in nodes):
            nodes.append(leads_back(id_, target))
        self.findings.differ(
            edge.source,
            f'the connection back to "{target}" leads to a step that fails: there are '
            "no circles here",
        )
        return id_

    def _node(self, name: str) -> dict[str, Any]:
        made = self.made[name]
        config = dict(made.config)
        levels = self.connected.flow.levels
        if name in levels and made.type == "for_each":
            config |= self._graph(levels[name])
        return {
            "id": self.connected.ids[name],
            "type": made.type,
            "name": name[:200],
            "config": config,
            **made.settings,
        }
