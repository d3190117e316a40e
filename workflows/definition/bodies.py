"""The bodies of loops: definitions within the config of a step, and how to walk them.

A config that holds both lists `nodes` and `connections` is a body: no other step kind
may describe these two keys. A body may have an `output` too, what one item gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.definition.problems import place

BODY_KEYS = ("nodes", "connections", "output")
# What a document may say instead of nodes and connections.
SPELLINGS = frozenset({"steps", *BODY_KEYS})
BODY_KINDS = frozenset({"for_each"})
MAX_LOOPS = 5


@dataclass(frozen=True, slots=True)
class Level:
    """One graph: that of the whole definition (`at` is ""), or the body of a loop.

    `at` is the place of the object that holds `nodes`; `loops` are the ids of the
    loops around it, the outermost first.
    """

    at: str
    graph: Mapping[str, Any]
    loops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Located:
    """A step with its place (`nodes[2].config.nodes[0]`) and the loops around it."""

    path: str
    node: Mapping[str, Any]
    loops: tuple[str, ...] = ()


def body_of(node: object) -> Mapping[str, Any] | None:
    """The config that holds the body of this step, or None when it has none."""
    config = node.get("config") if isinstance(node, Mapping) else None
    if not isinstance(config, Mapping):
        return None
    lists = (config.get("nodes"), config.get("connections"))
    return config if all(isinstance(part, list) for part in lists) else None


def own_config(node: Mapping[str, Any]) -> Any:
    """The step's config without its body."""
    body = body_of(node)
    if body is None:
        return node.get("config")
    return {key: value for key, value in body.items() if key not in BODY_KEYS}


def walk_graphs(definition: Mapping[str, Any]) -> Iterator[Level]:
    """Every graph of a canonical definition, each before those within it."""
    waiting = [Level("", definition)]
    for level in waiting:
        yield level
        for located in _nodes(level):
            body = body_of(located.node)
            if body is not None:
                loops = (*level.loops, str(located.node.get("id", "")))
                waiting.append(Level(place(located.path, "config"), body, loops))


def walk_nodes(definition: Mapping[str, Any]) -> Iterator[Located]:
    """Every step of a canonical definition, those in bodies included.

    Tolerates drafts: what is no object is left out, ids and configs may be anything.
    """
    for level in walk_graphs(definition):
        yield from _nodes(level)


def node_ids(definition: Mapping[str, Any]) -> frozenset[str]:
    """The ids of all steps, those in bodies included."""
    return frozenset(
        item.node["id"]
        for item in walk_nodes(definition)
        if isinstance(item.node.get("id"), str)
    )


def _nodes(level: Level) -> Iterator[Located]:
    nodes = level.graph.get("nodes")
    for position, node in enumerate(nodes if isinstance(nodes, list) else ()):
        if isinstance(node, Mapping):
            yield Located(place(level.at, "nodes", position), node, level.loops)


def kinds_with_body(registry: Mapping[str, Any]) -> Collection[str]:
    """The step kinds whose config holds a body."""
    return frozenset(kind for kind, info in registry.items() if info.body)
