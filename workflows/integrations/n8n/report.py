"""How faithful a conversion is, node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Fidelity = Literal["exact", "approximate", "unsupported"]
FIDELITIES: tuple[Fidelity, ...] = ("exact", "approximate", "unsupported")


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What became of one node.

    `became` is a step's type, or `trigger: webhook`; `step` its id, empty for what is
    nothing here. `differs` are sentences for people: why it is approximate or
    unsupported. `notes` are what else is to be known or done: they make nothing less
    exact. `credentials` are the names that it signs in with in n8n.
    """

    node: str
    type: str
    fidelity: Fidelity
    became: str = ""
    step: str = ""
    differs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "type": self.type,
            "fidelity": self.fidelity,
            "became": self.became,
            "step": self.step,
            "differs": list(self.differs),
            "notes": list(self.notes),
            "credentials": list(self.credentials),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a workflow; sticky notes are counted and are no nodes."""

    nodes: tuple[NodeReport, ...]
    warnings: tuple[str, ...] = ()
    sticky_notes: int = 0

    def counts(self) -> dict[str, int]:
        """How many nodes are of each fidelity."""
        found = Counter(node.fidelity for node in self.nodes)
        return {fidelity: found[fidelity] for fidelity in FIDELITIES}

    def credentials(self) -> list[str]:
        """All names, each once."""
        return list(dict.fromkeys(n for node in self.nodes for n in node.credentials))

    def as_data(self) -> dict[str, Any]:
        return {
            "counts": self.counts(),
            "nodes": [node.as_data() for node in self.nodes],
            "credentials": self.credentials(),
            "warnings": list(self.warnings),
            "sticky_notes": self.sticky_notes,
        }


def summary(counts: dict[str, int]) -> str:
    """`3 exact, 1 approximate, 0 unsupported`."""
    return ", ".join(f"{counts.get(fidelity, 0)} {fidelity}" for fidelity in FIDELITIES)


def table(report: dict[str, Any]) -> Iterator[str]:
    """A report's data as lines for a terminal; what differs stands below each node."""
    rows = [
        (
            node["node"],
            node["type"].rpartition(".")[2],
            node["fidelity"],
            node["became"],
        )
        for node in report["nodes"]
    ]
    yield from _columns([("NODE", "WAS", "FIDELITY", "BECAME"), *rows], report["nodes"])
    for warning in report["warnings"]:
        yield f"! {warning}"


def _columns(
    rows: Sequence[tuple[str, ...]], nodes: Iterable[dict[str, Any]]
) -> Iterator[str]:
    widths = [
        min(max(len(row[column]) for row in rows), 40) for column in range(len(rows[0]))
    ]
    head, *others = rows
    yield _line(head, widths)
    for row, node in zip(others, nodes, strict=True):
        yield _line(row, widths)
        for text in node["differs"]:
            yield f"    {text}"
        for text in node["notes"]:
            yield f"    note: {text}"
        if node["credentials"]:
            yield f"    signs in as: {', '.join(node['credentials'])}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell if len(cell) <= width else f"{cell[: width - 1]}…"
        for cell, width in zip(row, widths, strict=True)
    )
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
