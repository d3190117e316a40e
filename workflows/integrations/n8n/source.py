"""An exported n8n workflow, read without trusting it.

The shape is that of n8n's editor, its command line and its public API
(https://docs.n8n.io/courses/level-two/chapter-1/): `name`, `nodes` with `name`, `type`,
`typeVersion`, `parameters`, and `connections` by the name of the node they leave,
kind of connection and output: {"Webhook": {"main": [[{"node": "Set", "index": 0}]]}}.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from automate.lib.jsonio import storable_text

MAX_DEPTH = 40
MAX_NODES = 600  # with what a conversion adds, a definition has at most 1,000 steps
STICKY_NOTE = "n8n-nodes-base.stickyNote"
_HUGE = 10**300


class NotAWorkflow(ValueError):
    """The tree is no workflow of n8n; says why."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a node signs in with: n8n's type of it and the name that people gave it."""

    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `on_error` is `stop`, `continue` or `branch`, `wait` in seconds."""

    name: str
    type: str
    version: float = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    credentials: tuple[Credential, ...] = ()
    disabled: bool = False
    on_error: str = "stop"
    attempts: int = 1
    wait: float = 1
    notes: str = ""

    @property
    def kind(self) -> str:
        """The type without its package: `httpRequest`."""
        return self.type.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Edge:
    """A connection from an output of a node to an input of another."""

    source: str
    output: int
    target: str
    input: int = 0
    kind: str = "main"


@dataclass(frozen=True, slots=True)
class Source:
    """A workflow of n8n. `warnings` tell what in it could not be read."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    id: str = ""
    active: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    instance: str = ""
    description: str = ""
    warnings: tuple[str, ...] = ()

    def main(self) -> Iterator[Edge]:
        """The connections that data goes along."""
        return (edge for edge in self.edges if edge.kind == "main")

    def attached(self) -> Iterator[Edge]:
        """The connections by which a node serves as a part of another (`ai_tool`)."""
        return (edge for edge in self.edges if edge.kind != "main")


def read_workflow(tree: object) -> Source:
    """The workflow; what is malformed is left out and told. Raises NotAWorkflow."""
    if not isinstance(tree, Mapping):
        raise NotAWorkflow("must be an object, the workflow")
    given = tidy(tree)
    if not isinstance(given.get("nodes"), list):
        raise NotAWorkflow('has no list "nodes": it is no workflow of n8n')
    warnings: list[str] = []
    ids: dict[str, str] = {}
    nodes = tuple(_nodes(given["nodes"], ids, warnings))
    if len(nodes) > MAX_NODES:
        raise NotAWorkflow(f"has {len(nodes):,} nodes; {MAX_NODES} can be converted")
    # Some tools write the ids of nodes where n8n writes their names.
    names = ids | {node.name: node.name for node in nodes}
    edges = dict.fromkeys(_edges(given.get("connections"), names, warnings))
    place = {node.name: number for number, node in enumerate(nodes)}
    return Source(
        name=text(given.get("name")).strip()[:200],
        nodes=nodes,
        edges=tuple(sorted(edges, key=lambda e: (place[e.source], e.kind, e.output))),
        id=text(given.get("id"))[:100],
        active=given.get("active") is True,
        settings=mapping(given.get("settings")),
        tags=tuple(_tags(given.get("tags"))),
        instance=text(mapping(given.get("meta")).get("instanceId"))[:100],
        description=text(given.get("description"))[:10_000],
        warnings=tuple(warnings),
    )


def _nodes(
    items: list[Any], ids: dict[str, str], warnings: list[str]
) -> Iterator[Node]:
    taken: set[str] = set()
    for position, item in enumerate(items):
        if not isinstance(item, Mapping) or not isinstance(item.get("type"), str):
            warnings.append(f"nodes[{position}] is no node: left out")
            continue
        name = text(item.get("name")).strip() or item["type"].rpartition(".")[2]
        if name in taken:
            warnings.append(f'two nodes are called "{name[:100]}"')
            number = 2
            while f"{name} ({number})" in taken:
                number += 1
            name = f"{name} ({number})"
        taken.add(name)
        if isinstance(item.get("id"), str):
            ids.setdefault(item["id"], name)
        yield _node(name, item)


def _node(name: str, item: Mapping[str, Any]) -> Node:
    retries = item.get("retryOnFail") is True
    return Node(
        name=name,
        type=item["type"],
        version=number(item.get("typeVersion"), 1),
        parameters=mapping(item.get("parameters")),
        credentials=tuple(_credentials(item.get("credentials"))),
        disabled=item.get("disabled") is True,
        on_error=_on_error(item),
        # n8n tries 2 to 5 times, at most 5 seconds apart, and takes no wait for 1.
        attempts=int(min(max(number(item.get("maxTries"), 3), 2), 5)) if retries else 1,
        wait=min(max(number(item.get("waitBetweenTries"), 0) or 1000, 0), 5_000) / 1000,
        notes=text(item.get("notes"))[:2_000],
    )


def _on_error(item: Mapping[str, Any]) -> str:
    match item.get("onError"):
        case "continueRegularOutput":
            return "continue"
        case "continueErrorOutput":
            return "branch"
        case None if item.get("continueOnFail") is True:
            return "continue"
    return "stop"


def _credentials(given: object) -> Iterator[Credential]:
    """Older files have the name alone: {"slackApi": "Team"}; or an object with it."""
    for kind, value in mapping(given).items():
        name = value.get("name") if isinstance(value, Mapping) else value
        yield Credential(kind[:100], text(name)[:200] or kind[:100])


def _edges(
    given: object, names: Mapping[str, str], warnings: list[str]
) -> Iterator[Edge]:
    for source, kinds in mapping(given).items():
        if source not in names:
            warnings.append(f'a connection comes from "{source[:100]}": no such node')
            continue
        for kind, outputs in mapping(kinds).items():
            for output, target in _targets(outputs):
                name = text(target.get("node"))
                if name not in names:
                    warnings.append(
                        f'a connection leads to "{name[:100]}": no such node'
                    )
                    continue
                at = int(min(max(number(target.get("index"), 0), 0), 1_000))
                yield Edge(names[source], output, names[name], at, kind)


def _targets(outputs: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for output, targets in enumerate(outputs if isinstance(outputs, list) else ()):
        for target in targets if isinstance(targets, list) else ():
            if isinstance(target, Mapping):
                yield output, target


def _tags(given: object) -> Iterator[str]:
    """Names, as in files, or objects with a name, as in the API."""
    for tag in given if isinstance(given, list) else ():
        name = text(tag.get("name") if isinstance(tag, Mapping) else tag).strip()
        if name:
            yield name[:50]


def text(value: object) -> str:
    """A text or a number as text; nothing else has one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)


def number(value: object, default: float) -> float:
    """A number, also one in a text; else the default."""
    if isinstance(value, bool):
        return default
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return default
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    return default


def mapping(value: object) -> Mapping[str, Any]:
    """The object itself, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Any]:
    """The list itself, or an empty one."""
    return value if isinstance(value, list) else []


def tidy(value: Any, depth: int = 0) -> Any:
    """A copy that every column and parser takes: no NUL, NaN, or endless nesting.

    Keys are in order, because n8n may give them in another one the next time.
    """
    if isinstance(value, str):
        return storable_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_HUGE < value < _HUGE else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > MAX_DEPTH:
        return "[too deep]"
    if isinstance(value, Mapping):
        return {
            storable_text(str(key)): tidy(item, depth + 1)
            for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))
        }
    if isinstance(value, list | tuple):
        return [tidy(item, depth + 1) for item in value]
    return storable_text(str(value))
