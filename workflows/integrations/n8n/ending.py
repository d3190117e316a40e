"""What a workflow, or one turn of a loop, gives in the end: what its last node gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.expressions import TemplateError, parse
from workflows.integrations.n8n.connected import Connected
from workflows.integrations.n8n.data import LONGEST, Data
from workflows.integrations.n8n.expr import quoted, with_path
from workflows.integrations.n8n.findings import Findings
from workflows.integrations.n8n.flow import Level, reached
from workflows.integrations.n8n.js_tree import NotRead
from workflows.integrations.n8n.nodes.base import Answer, Made

FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class End:
    """A node, and the ports by which a run leaves it for nowhere."""

    node: str
    ports: tuple[str, ...]


def ends_of_body(level: Level, made: Mapping[str, Made]) -> list[End]:
    """Where one turn of a loop ends: at what leads back to it, or out of it."""
    found: dict[str, dict[str, None]] = {}
    for edge in level.ends:
        for port in made[edge.source].ports.get(edge.output, ()):
            found.setdefault(edge.source, {})[port] = None
    return [End(name, tuple(ports)) for name, ports in found.items()]


def ends_behind(
    starts: Iterable[str], level: Level, made: Mapping[str, Made]
) -> list[End]:
    """Where a run ends that starts at these nodes."""
    there = reached(level.edges, starts)
    drawn = {
        (edge.source, port)
        for edge in level.edges
        if edge.source in made and edge.output in made[edge.source].ports
        for port in made[edge.source].ports[edge.output]
    }
    found = []
    for name in level.members:
        if name not in there or name not in made:
            continue
        ports = dict.fromkeys(p for many in made[name].ports.values() for p in many)
        free = [p for p in ports if p != FAILURE and (name, p) not in drawn]
        if free and made[name].type == "filter":
            free = ["success"]
        if free:
            found.append(End(name, tuple(free)))
    return found


def may_be_several(level: Level, starts: Sequence[str]) -> bool:
    """Whether a run may go two ways at once."""
    there = reached(level.edges, starts)
    seen: set[tuple[str, int]] = set()
    for edge in level.edges:
        place = (edge.source, edge.output)
        if edge.source in there and place in seen:
            return True
        seen.add(place)
    return len(starts) > 1


def given_by(
    ends: Sequence[End], made: Mapping[str, Made], ids: Mapping[str, str], data: Data
) -> str:
    """The data at the end that the run came to, none without one; raises NotRead."""
    source = "none"
    for end in reversed(ends):
        value = data.outputs[end.node].read(data, end.node, (), 0)
        taken = _taken(end, made[end.node], ids[end.node])
        source = f"({value.source} if {taken} else {source})"
        if len(source) > LONGEST:
            raise NotRead("it may come from too many nodes")
    try:
        parse(f"{{{{ {source} }}}}", frozenset(ids.values()))
    except TemplateError as error:
        raise NotRead(error.message) from None
    return source


def _taken(end: End, made: Made, id_: str) -> str:
    """Whether a run left the node by these ports, as an expression."""
    step = f"steps.{id_}"
    ran = f"{step} is defined"
    match made.type:
        case "filter":
            return f"{step}.passed | default(false)"
        case "branch" if len(end.ports) == 1:
            sign = "==" if end.ports[0] == "true" else "!="
            return f"{ran} and {step}.result {sign} true"
        case "switch":
            cases = ", ".join(quoted(port) for port in end.ports)
            return f"{ran} and {step}.case in [{cases}]"
    return ran


class Ending:
    """Adds the step that answers a sender, and what the run's output is."""

    def __init__(
        self,
        connected: Connected,
        made: Mapping[str, Made],
        findings: Findings,
        data: Data,
    ) -> None:
        self.connected = connected
        self.made = made
        self.findings = findings
        self.data = data

    def draw(self, graph: dict[str, Any], answers: Mapping[str, Answer]) -> str:
        """The template of the output, "" without one; the step is put into `graph`."""
        output = ""
        for trigger, answer in answers.items():
            level = self.connected.flow.levels[""]
            starts = [e.target for e in level.edges if e.source == trigger]
            ends = ends_behind(starts, level, self.made)
            if not ends:
                continue
            try:
                source = given_by(ends, self.made, self.connected.ids, self.data)
            except NotRead as error:
                self.findings.differ(trigger, f"what the last node gave: {error}")
                continue
            if len(ends) > 1 and may_be_several(level, starts):
                self.findings.differ(
                    trigger,
                    "several branches may end: what the first of them gave counts, "
                    "in n8n what the last one gave",
                )
            if answer.sent:
                self._answering(graph, trigger, answer, ends, source)
            else:
                output = f"{{{{ {source} }}}}"
        return output

    def _answering(
        self,
        graph: dict[str, Any],
        trigger: str,
        answer: Answer,
        ends: Sequence[End],
        source: str,
    ) -> None:
        ids = self.connected.ids
        taken = {node["id"] for node in graph["nodes"]} | set(ids.values())
        id_, number = "answer", 1
        while id_ in taken:
            number += 1
            id_ = f"answer_{number}"
        config: dict[str, Any] = {}
        if answer.items != "none":
            config["body"] = f"{{{{ {_entries(source, answer)} }}}}"
        if answer.status is not None:
            config["status"] = answer.status
        if answer.headers:
            config["headers"] = answer.headers
        name = f"Answer to {trigger}"[:200]
        graph["nodes"].append(
            {"id": id_, "type": "respond", "name": name, "config": config}
        )
        graph["connections"] += [
            {"from": ids[end.node], "to": id_, "on": port}
            for end in ends
            for port in end.ports
        ]


def _entries(source: str, answer: Answer) -> str:
    """Lists are several items in n8n."""
    is_list = f"{source} is sequence"
    if answer.items == "all":
        return f"{source} if {is_list} else [{source}]"
    first = f"({source} | first | default({{}}) if {is_list} else {source})"
    return with_path(first, answer.of)
