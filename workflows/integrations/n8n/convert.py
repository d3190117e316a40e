"""A workflow of n8n becomes a document, with a report on each of its nodes.

Pure: `check` says what is wrong with a document, and is all that is asked for. Whatever
cannot be converted, or does not pass the check, becomes a placeholder, so that the
document is valid however strange the workflow is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.definition import Problem
from workflows.integrations.n8n.assemble import Assembly
from workflows.integrations.n8n.report import Report
from workflows.integrations.n8n.source import Source

Check = Callable[[Mapping[str, Any]], Sequence[Problem]]
ROUNDS = 6
_PLACE = re.compile(r"nodes\[(\d+)\]")
_TRIGGER = re.compile(r"triggers\[(\d+)\]")
_CONNECTION = re.compile(r"connections\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Conversion:
    """A document that the check has nothing against, and what became of each node."""

    document: dict[str, Any]
    report: Report


def convert(
    source: Source, check: Check, slugs: Mapping[str, str] | None = None
) -> Conversion:
    """`slugs`: short names of workflows by their ids in n8n, for Execute Workflow."""
    given_up: dict[str, str] = {}
    bare: set[str] = set()
    for round_ in range(ROUNDS):
        assembly = Assembly(source, slugs or {}, given_up, bare)
        conversion = Conversion(assembly.document(), assembly.report())
        problems = check(conversion.document)
        if not problems:
            return conversion
        before = len(given_up) + len(bare)
        for problem in problems:
            _give_up(problem, conversion.document, assembly, given_up, bare)
        if len(given_up) + len(bare) == before or round_ == ROUNDS - 3:
            reason = f"its conversion did not pass the check: {problems[0]}"
            for node in source.nodes:
                given_up.setdefault(node.name, reason)
            bare.update(node.name for node in source.nodes)
    raise AssertionError(f"placeholders alone do not pass: {problems[0]}")


def _give_up(
    problem: Problem,
    document: Mapping[str, Any],
    assembly: Assembly,
    given_up: dict[str, str],
    bare: set[str],
) -> None:
    """Note whose fault a problem is: that node is a placeholder in the next round."""
    reason = f"its conversion did not pass the check: {problem}"
    trigger = _TRIGGER.match(problem.path)
    if trigger:
        node = document["triggers"][int(trigger[1])].get("node_id", "")
        if name := assembly.connected.node_of_trigger(node):
            bare.add(name)
        return
    graph: Mapping[str, Any] = document
    found = ""
    for match in _PLACE.finditer(problem.path):
        step = graph["nodes"][int(match[1])]
        found = step["id"]
        config = step.get("config", {})
        graph = config if isinstance(config.get("nodes"), list) else {"nodes": []}
    connection = _CONNECTION.search(problem.path)
    if connection and int(connection[1]) < len(graph.get("connections", ())):
        found = graph["connections"][int(connection[1])]["from"]
    name = assembly.connected.node_of_step(found)
    if name in given_up:
        bare.add(name)
    elif name:
        given_up[name] = reason
