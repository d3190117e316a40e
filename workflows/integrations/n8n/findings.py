"""What is found out about each node while its workflow is converted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from workflows.integrations.n8n.report import Fidelity, NodeReport, Report
from workflows.integrations.n8n.source import STICKY_NOTE, Node, Source


class Findings:
    """Takes sentences about nodes, each once, and makes the report of them."""

    def __init__(self, source: Source, names: Iterable[str]) -> None:
        self._differs: dict[str, list[str]] = {name: [] for name in names}
        self._notes: dict[str, list[str]] = {name: [] for name in self._differs}
        self._unsupported: set[str] = set()
        self._sticky = sum(node.type == STICKY_NOTE for node in source.nodes)
        self.warnings = list(source.warnings)
        self.became: dict[str, str] = {}

    def differ(self, name: str, sentence: str) -> None:
        """The node does something else here than in n8n."""
        if sentence not in self._differs[name]:
            self._differs[name].append(sentence)

    def note(self, name: str, sentence: str) -> None:
        """Something to know or to do, which makes the node no less exact."""
        if sentence not in self._notes[name]:
            self._notes[name].append(sentence)

    def unsupported(self, name: str, reason: str) -> None:
        """The node does nothing here."""
        self._unsupported.add(name)
        self.differ(name, reason)

    def report(self, nodes: Mapping[str, Node], ids: Mapping[str, str]) -> Report:
        """What became of each of these nodes, in their order."""
        found = tuple(
            NodeReport(
                node=name,
                type=node.type,
                fidelity=self._fidelity(name),
                became=self.became.get(name, ""),
                step=ids[name],
                differs=tuple(self._differs[name]),
                notes=tuple(self._notes[name]),
                credentials=tuple(c.name for c in node.credentials),
            )
            for name, node in nodes.items()
        )
        return Report(found, tuple(self.warnings), self._sticky)

    def _fidelity(self, name: str) -> Fidelity:
        if name in self._unsupported:
            return "unsupported"
        return "approximate" if self._differs[name] else "exact"
