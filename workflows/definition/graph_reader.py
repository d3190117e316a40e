"""Reads steps and what connects them: a document's, and those within loops."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.definition.bodies import MAX_LOOPS, SPELLINGS
from workflows.definition.names import unique_id
from workflows.definition.problems import Problem, place, suggest
from workflows.definition.schema import MAX_CONNECTIONS, MAX_NODES
from workflows.definition.steps import CONFIG_KEYS, node_from, trigger_from


@dataclass
class Notes:
    """What reading one document has found so far, at whatever depth.

    `taken` are the ids that steps have or were given; `places` maps places of the
    canonical form to those in the document.
    """

    trigger_kinds: frozenset[str]
    body_kinds: frozenset[str]
    taken: set[str] = field(default_factory=set)
    places: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, path: str, message: str, *, rule: bool = False) -> None:
        self.problems.append(Problem(path, message, rule=rule))

    def items(self, path: str, value: object) -> list[Any]:
        """The list that has to stand here; empty, and a problem, when it is none."""
        if not isinstance(value, list):
            self.problem(path, "must be a list")
        elif len(value) > MAX_CONNECTIONS:
            # No list may be longer than that of the connections.
            self.problem(path, f"must have at most {MAX_CONNECTIONS:,} entries")
        else:
            return value
        return []


class GraphReader:
    """One graph: the document's own, or the body of a loop.

    `at` is its place in the canonical form; `depth` is how many loops are around it.
    """

    def __init__(self, notes: Notes, at: str = "", depth: int = 0) -> None:
        self.notes = notes
        self.at = at
        self.depth = depth
        self.nodes: list[dict[str, Any]] = []
        self.connections: list[dict[str, Any]] = []
        self.triggers: list[dict[str, Any]] = []
        self.trigger_nodes: dict[str, dict[str, Any]] = {}

    def read(self, base: str, body: dict[str, Any]) -> None:
        """Everything below `base`, which is where `body` stands in the document."""
        notes = self.notes
        line = "steps" in body
        if line:
            for key in ("nodes", "connections"):
                if key in body:
                    notes.problem(
                        place(base, key), 'cannot be used together with "steps"'
                    )
        elif "nodes" not in body:
            what = "for what is done with each item" if self.depth else ""
            notes.problem(base, f'must have "nodes" or "steps" {what}'.rstrip())
            return
        key = "steps" if line else "nodes"
        items = notes.items(place(base, key), body[key])
        if len(items) > 2 * MAX_NODES:
            notes.problem(place(base, key), f"must have at most {MAX_NODES:,} entries")
            items = []
        self._place(base, key, "nodes")
        if not self.depth:
            notes.taken.update(_ids(items, notes.body_kinds))
        for position, item in enumerate(items):
            self._read_item(place(base, key, position), item, line=line)
        self._ids_of_triggers()
        if line:
            self._connect_line()
        else:
            self._place(base, "connections", "connections")
            where = place(base, "connections")
            self._read_connections(where, body.get("connections", []))
        self._failure_branches()

    def _place(self, base: str, key: str, canonical: str) -> None:
        self.notes.places[place(self.at, canonical)] = place(base, key)

    def _read_item(self, path: str, item: object, *, line: bool) -> None:
        notes = self.notes
        if not isinstance(item, dict):
            notes.problem(path, 'must be an object like {"type": ..., "config": {...}}')
            return
        if self._is_trigger(item, line=line):
            self._read_trigger_node(path, item, line=line)
            return
        node = node_from(item)
        if "id" not in node:
            node = {"id": unique_id(node, notes.taken), **node}
            notes.taken.add(node["id"])
        where = place(self.at, "nodes", len(self.nodes))
        notes.places[where] = path
        config_path = place(path, "config")
        if "configuration" in item and "config" not in item:
            config_path = place(path, "configuration")
            notes.places[place(where, "config")] = config_path
        kind, config = node.get("type"), node["config"]
        is_loop = isinstance(kind, str) and kind in notes.body_kinds
        if is_loop and isinstance(config, dict):
            node["config"] = self._read_body(
                config_path, config, place(where, "config")
            )
        self.nodes.append(node)

    def _read_body(
        self, path: str, config: dict[str, Any], where: str
    ) -> dict[str, Any]:
        """The loop's config with its body in canonical form."""
        inner = GraphReader(self.notes, where, self.depth + 1)
        if inner.depth > MAX_LOOPS:
            message = f"loops may stand in one another {MAX_LOOPS} deep, no deeper"
            self.notes.problem(path, message, rule=True)
        else:
            inner.read(path, config)
        rest = {key: value for key, value in config.items() if key not in SPELLINGS}
        body: dict[str, Any] = {"nodes": inner.nodes, "connections": inner.connections}
        if "output" in config:
            body["output"] = config["output"]
        return {**rest, **body}

    def _is_trigger(self, item: dict[str, Any], *, line: bool) -> bool:
        kind = item.get("type")
        if not isinstance(kind, str) or kind not in self.notes.trigger_kinds:
            return False
        if kind != "webhook":
            return True
        config = next((item[key] for key in CONFIG_KEYS if key in item), None)
        return not line and not (isinstance(config, dict) and "url" in config)

    def _read_trigger_node(
        self, path: str, item: dict[str, Any], *, line: bool
    ) -> None:
        notes = self.notes
        if self.depth:
            notes.problem(
                path,
                f'"{item["type"]}" is a trigger: it cannot stand in a loop, '
                "only beside it",
            )
            return
        if line and self.nodes:
            notes.problem(
                path,
                f'"{item["type"]}" is a trigger: it belongs before the first step, '
                'or in "triggers"',
                rule=True,
            )
            return
        trigger, problems, warnings = trigger_from(
            path, item, notes.trigger_kinds, node=True
        )
        notes.problems += problems
        notes.warnings += warnings
        if trigger is None:
            return
        node_id = trigger.get("node_id")
        if node_id in self.trigger_nodes:
            notes.problem(
                place(path, "id"), f'the id "{node_id}" is used twice', rule=True
            )
        elif node_id:
            self.trigger_nodes[node_id] = trigger
        self.add_trigger(path, item, trigger)

    def add_trigger(
        self, path: str, item: dict[str, Any], trigger: dict[str, Any]
    ) -> None:
        """A trigger that was read from `item`, which stands at `path`."""
        places, where = self.notes.places, place("triggers", len(self.triggers))
        places[where] = path
        if "configuration" in item and "config" not in item:
            places[place(where, "config")] = place(path, "configuration")
        self.triggers.append(trigger)

    def _ids_of_triggers(self) -> None:
        for position, node in enumerate(self.nodes):
            if isinstance(node["id"], str) and node["id"] in self.trigger_nodes:
                where = self.notes.places[place(self.at, "nodes", position)]
                message = f'a trigger has the id "{node["id"]}" too'
                self.notes.problem(place(where, "id"), message, rule=True)

    def _connect_line(self) -> None:
        places = self.notes.places
        for position, (before, after) in enumerate(itertools.pairwise(self.nodes)):
            source, target = before["id"], after["id"]
            # An id that is no text is refused where it stands, not here as well.
            if isinstance(source, str) and isinstance(target, str):
                where = places[place(self.at, "nodes", position + 1)]
                places[place(self.at, "connections", len(self.connections))] = where
                edge = {"from": source, "to": target, "on": "success"}
                self.connections.append(edge)

    def _read_connections(self, where: str, items: object) -> None:
        for position, item in enumerate(self.notes.items(where, items)):
            path = place(where, position)
            if not isinstance(item, dict):
                self.notes.problem(
                    path, 'must be an object like {"from": ..., "to": ...}'
                )
                continue
            source, target = item.get("from"), item.get("to")
            if isinstance(target, str) and target in self.trigger_nodes:
                self.notes.problem(
                    place(path, "to"),
                    f'"{target}" is a trigger: nothing can lead into it',
                    rule=True,
                )
            elif isinstance(source, str) and source in self.trigger_nodes:
                self._read_start(path, self.trigger_nodes[source], item)
            else:
                at = place(self.at, "connections", len(self.connections))
                self.notes.places[at] = path
                self.connections.append({**item, "on": _port(item)})

    def _read_start(
        self, path: str, trigger: dict[str, Any], item: dict[str, Any]
    ) -> None:
        port = item.get("on", "success")
        if port != "success":
            self.notes.problem(
                place(path, "on"),
                'a trigger has only the port "success"',
                rule=isinstance(port, bool)
                or (isinstance(port, str) and 0 < len(port) <= 100),
            )
        for key in item.keys() - {"from", "to", "on"}:
            self.notes.problem(
                place(path, key), "unknown key (known here: from, on, to)"
            )
        self.start(place(path, "to"), trigger, item.get("to"))

    def start(self, path: str, trigger: dict[str, Any], target: object) -> None:
        """One more step that a trigger starts; a problem when there is none such."""
        ids = [node["id"] for node in self.nodes if isinstance(node["id"], str)]
        if not isinstance(target, str):
            self.notes.problem(path, "must be the id of a step")
        elif target not in ids:
            message = f'there is no step "{target[:100]}"{suggest(target, ids)}'
            self.notes.problem(path, message, rule=len(target) <= 100)
        elif target not in trigger["start"]:
            trigger["start"].append(target)

    def _failure_branches(self) -> None:
        """A drawn failure connection means `on_error: branch` where nothing is said."""
        failing = {
            edge.get("from")
            for edge in self.connections
            if edge["on"] == "failure" and isinstance(edge.get("from"), str)
        }
        for position, node in enumerate(self.nodes):
            named = isinstance(node["id"], str) and node["id"] in failing
            if named and "on_error" not in node:
                node["on_error"] = "branch"
                self.notes.warnings.append(
                    Problem(
                        self.notes.places[place(self.at, "nodes", position)],
                        'on_error is "branch", because a connection leaves the '
                        'port "failure"',
                    )
                )


def _ids(items: object, body_kinds: frozenset[str], depth: int = 0) -> Iterator[str]:
    """The ids that are given, in loops too: no made id may be one of them."""
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, Mapping):
            continue
        if isinstance(item.get("id"), str):
            yield item["id"]
        kind = item.get("type")
        if isinstance(kind, str) and kind in body_kinds and depth < MAX_LOOPS:
            for config in (item.get(key) for key in CONFIG_KEYS):
                if isinstance(config, Mapping):
                    inner = config.get("steps", config.get("nodes"))
                    yield from _ids(inner, body_kinds, depth + 1)


def _port(item: Mapping[str, Any]) -> Any:
    """The port of a connection; a branch's, written `on: true`, is read as it is."""
    port = item.get("on", "success")
    return str(port).lower() if isinstance(port, bool) else port
