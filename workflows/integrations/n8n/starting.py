"""The triggers of a document: where each starts, and what none leads to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from workflows.integrations.n8n.connected import NOTHING, UNCONNECTED, Connected
from workflows.integrations.n8n.findings import Findings
from workflows.integrations.n8n.flow import reached
from workflows.integrations.n8n.nodes.base import Start
from workflows.integrations.n8n.source import Edge, Node


class Triggers:
    """Collects them; those of nodes in `bare` have no settings."""

    def __init__(
        self, connected: Connected, findings: Findings, bare: Collection[str]
    ) -> None:
        self.connected = connected
        self.findings = findings
        self.bare = bare
        self.made: list[dict[str, Any]] = []

    @property
    def is_idle(self) -> bool:
        """Whether one of them starts the step that does nothing."""
        return any(NOTHING in trigger.get("start", ()) for trigger in self.made)

    def add(self, node: Node, starts: Sequence[Start]) -> None:
        """All that a trigger node becomes."""
        flow = self.connected.flow
        targets = [
            self.connected.ids[edge.target]
            for edge in flow.levels[""].edges
            if edge.source == node.name
        ]
        if not targets and flow.levels[""].members:
            self.findings.note(
                node.name, "nothing is connected to it: its runs do nothing"
            )
            targets = [NOTHING]
        for position, start in enumerate(starts):
            config = {} if node.name in self.bare else start.config
            config = self._free_path(node.name, start.kind, config)
            suffix = f"--{position + 1}" if position else ""
            kind = self._add(node, start.kind, config, targets, suffix)
            self.findings.became[node.name] = f"trigger: {kind}"
        if node.name in self.bare and starts[0].kind != "manual":
            self.findings.differ(
                node.name, "its settings did not pass the check: set them here"
            )

    def add_stand_in(self, node: Node) -> None:
        """Started by hand: what it stands for has no counterpart."""
        self.findings.note(
            node.name, "start it by hand or by the API, with the event as payload"
        )
        self._add(node, "manual", {}, [self.connected.ids[node.name]])

    def all(self, graph: dict[str, Any]) -> list[dict[str, Any]]:
        """The triggers, with one that is switched off for what they do not lead to."""
        edges = [Edge(c["from"], 0, c["to"]) for c in graph["connections"]]
        ids = [node["id"] for node in graph["nodes"]]
        starts = [id_ for trigger in self.made for id_ in trigger.get("start", ids)]
        there = reached(edges, starts)
        rest = [id_ for id_ in ids if id_ not in there]
        if not rest:
            return self.made or [{"kind": "manual"}]
        targets = {edge.target for edge in edges}
        start = [id_ for id_ in rest if id_ not in targets]
        if not self.made:
            return [{"kind": "manual", "start": start}]
        for id_ in rest:
            if name := self.connected.node_of_step(id_):
                self.findings.note(
                    name, "no trigger leads to it: it never runs, as in n8n"
                )
        never = {"kind": "api", "config": {}, "node_id": UNCONNECTED, "start": start}
        return [*self.made, {**never, "is_active": False}]

    def _free_path(
        self, name: str, kind: str, config: dict[str, Any]
    ) -> dict[str, Any]:
        """n8n may have one path for several methods; here a path is one webhook's."""
        path = config.get("path")
        used = {t.get("config", {}).get("path") for t in self.made}
        if kind == "webhook" and path is not None and path in used:
            self.findings.differ(
                name, f'the path "{path}" is another webhook\'s: it has a key'
            )
            return {key: value for key, value in config.items() if key != "path"}
        return config

    def _add(
        self,
        node: Node,
        kind: str,
        config: dict[str, Any],
        targets: list[str],
        suffix: str = "",
    ) -> str:
        """The kind that it has in the end."""
        if kind == "schedule" and "cron" not in config:
            kind, config = "manual", {}
        trigger: dict[str, Any] = {"kind": kind, "config": config}
        if node.name not in self.connected.stand_ins or suffix:
            trigger["node_id"] = self.connected.ids[node.name] + suffix
        if targets:
            trigger["start"] = list(dict.fromkeys(targets))
        if node.disabled:
            trigger["is_active"] = False
        self.made.append(trigger)
        return kind
