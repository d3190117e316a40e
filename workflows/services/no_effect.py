"""What publishing warns of: what is written and will never have an effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workflows.actions import base as actions
from workflows.definition import Problem, walk_graphs
from workflows.definition.bodies import Level
from workflows.definition.problems import place

ATTEMPTS = ("retry", "timeout")


def no_effect(definition: Mapping[str, Any]) -> Iterator[Problem]:
    """A warning for each setting, step and connection without any effect."""
    for level in walk_graphs(definition):
        for position, node in enumerate(level.graph["nodes"]):
            yield from _step(place(level.at, "nodes", position), node, level)
        yield from _connections(level)


def _step(path: str, node: Mapping[str, Any], level: Level) -> Iterator[Problem]:
    action = actions.get(node["type"])
    if not (action.sends or action.stores):
        for name in ATTEMPTS:
            if node.get(name) is not None:
                text = (
                    f'has no effect: "{action.kind}" sends and stores nothing, so that '
                    "it has no second attempt and no time-out"
                )
                yield Problem(place(path, name), text)
    if action.kind == "placeholder" and node["config"].get("was"):
        yield Problem(path, "is a placeholder: a run that reaches it does nothing here")
    if action.answers and level.loops:
        text = (
            f'answers nobody inside the loop "{level.loops[-1]}": the sender waits for '
            "the run, not for its items; put it outside"
        )
        yield Problem(path, text)


def _connections(level: Level) -> Iterator[Problem]:
    nodes = {node["id"]: node for node in level.graph["nodes"]}
    for position, edge in enumerate(level.graph["connections"]):
        source = nodes[edge["from"]]
        idle = actions.get(source["type"]).idle_ports(source["config"])
        if edge["on"] in idle:
            path = place(level.at, "connections", position, "on")
            text = f'is never taken: it needs {idle[edge["on"]]} at "{source["id"]}"'
            yield Problem(path, text)
