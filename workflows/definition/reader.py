"""Reads one document in the spellings that people use."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Any

from workflows.definition.names import unique_id
from workflows.definition.problems import Problem, listed, place, suggest
from workflows.definition.schema import MAX_CONNECTIONS, MAX_NODES
from workflows.definition.steps import node_from, trigger_from

DEFINITION_KEYS = frozenset({"nodes", "connections", "steps", "variables", "output"})
META_KEYS = frozenset(
    {
        "id",
        "slug",
        "name",
        "description",
        "status",
        "tags",
        "team",
        "note",
        "max_concurrent_runs",
        "run_timeout",
        "retention_days",
        "search_keys",
    }
)


def empty() -> dict[str, Any]:
    return {"nodes": [], "connections": [], "variables": {}}


class Reader:
    """Reads one document; the parts that it finds are its attributes."""

    def __init__(self, trigger_kinds: frozenset[str]) -> None:
        self.trigger_kinds = trigger_kinds
        self.definition = empty()
        self.triggers: list[dict[str, Any]] = []
        self.meta: dict[str, Any] = {}
        self.places: dict[str, str] = {}
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.trigger_nodes: dict[str, dict[str, Any]] = {}

    def problem(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def read(self, document: dict[str, Any]) -> None:
        base, body = "", document
        if "definition" in document:
            base, inner = "definition", document["definition"]
            if not isinstance(inner, dict):
                self.problem(base, 'must be an object with "nodes" or "steps"')
                inner = {}
            self._known_keys("", document, META_KEYS | {"definition", "triggers"})
            self._known_keys(base, inner, DEFINITION_KEYS)
            body = inner
        else:
            self._known_keys("", document, META_KEYS | DEFINITION_KEYS | {"triggers"})
        self.meta = {key: document[key] for key in META_KEYS & document.keys()}
        self._read_variables(document, base, body)
        self._read_graph(base, body)
        if "output" in body:
            self.definition["output"] = body["output"]
            self.places["output"] = place(base, "output")
        self._read_triggers(document.get("triggers", []))
        self._failure_branches()

    def _known_keys(
        self, base: str, given: Mapping[str, Any], known: Collection[str]
    ) -> None:
        # Variables may stand beside the definition: the API's create takes them there.
        for key in given.keys() - set(known) - {"variables"}:
            hint = suggest(key, known)
            self.problem(
                place(base, key), f"unknown key (known here: {listed(known)}){hint}"
            )

    def _read_variables(
        self, document: dict[str, Any], base: str, body: dict[str, Any]
    ) -> None:
        where = place(base, "variables")
        if base and "variables" in document:
            if "variables" in body:
                self.problem("variables", f'are given twice: here and in "{where}"')
            body, where = document, "variables"
        self.places["variables"] = where
        variables = body.get("variables")
        self.definition["variables"] = {} if variables is None else variables

    def _read_graph(self, base: str, body: dict[str, Any]) -> None:
        line = "steps" in body
        if line:
            for key in ("nodes", "connections"):
                if key in body:
                    self.problem(
                        place(base, key), 'cannot be used together with "steps"'
                    )
        elif "nodes" not in body:
            self.problem(base, 'must have "nodes" or "steps"')
            return
        key = "steps" if line else "nodes"
        items = self._list(place(base, key), body[key])
        if len(items) > 2 * MAX_NODES:
            self.problem(place(base, key), f"must have at most {MAX_NODES:,} entries")
            items = []
        taken = {
            item["id"]
            for item in items
            if isinstance(item, dict) and isinstance(item.get("id"), str)
        }
        self.places["nodes"] = place(base, key)
        for position, item in enumerate(items):
            self._read_item(place(base, key, position), item, taken, line=line)
        for position, node in enumerate(self.definition["nodes"]):
            if isinstance(node["id"], str) and node["id"] in self.trigger_nodes:
                where = self.places[place("nodes", position)]
                self.problem(
                    place(where, "id"), f'a trigger has the id "{node["id"]}" too'
                )
        if line:
            self._connect_line()
        else:
            where = place(base, "connections")
            self.places["connections"] = where
            self._read_connections(where, body.get("connections", []))

    def _list(self, path: str, value: object) -> list[Any]:
        if not isinstance(value, list):
            self.problem(path, "must be a list")
        elif len(value) > MAX_CONNECTIONS:
            # No list may be longer than that of the connections.
            self.problem(path, f"must have at most {MAX_CONNECTIONS:,} entries")
        else:
            return value
        return []

    def _read_item(
        self, path: str, item: object, taken: set[str], *, line: bool
    ) -> None:
        if not isinstance(item, dict):
            self.problem(path, 'must be an object like {"type": ..., "config": {...}}')
            return
        if self._is_trigger(item, line=line):
            self._read_trigger_node(path, item, line=line)
            return
        node = node_from(item)
        if "id" not in node:
            node = {"id": unique_id(node, taken), **node}
            taken.add(node["id"])
        nodes = self.definition["nodes"]
        where = place("nodes", len(nodes))
        self.places[where] = path
        if "configuration" in item and "config" not in item:
            self.places[f"{where}.config"] = f"{path}.configuration"
        nodes.append(node)

    def _is_trigger(self, item: dict[str, Any], *, line: bool) -> bool:
        kind = item.get("type")
        if not isinstance(kind, str) or kind not in self.trigger_kinds:
            return False
        if kind != "webhook":
            return True
        config = item.get("config", item.get("configuration"))
        return not line and not (isinstance(config, dict) and "url" in config)

    def _read_trigger_node(
        self, path: str, item: dict[str, Any], *, line: bool
    ) -> None:
        if line and self.definition["nodes"]:
            self.problem(
                path,
                f'"{item["type"]}" is a trigger: it belongs before the first step, '
                'or in "triggers"',
            )
            return
        trigger, problems, warnings = trigger_from(
            path, item, self.trigger_kinds, node=True
        )
        self.problems += problems
        self.warnings += warnings
        if trigger is None:
            return
        node_id = trigger.get("node_id")
        if node_id in self.trigger_nodes:
            self.problem(place(path, "id"), f'the id "{node_id}" is used twice')
        elif node_id:
            self.trigger_nodes[node_id] = trigger
        self.places[place("triggers", len(self.triggers))] = path
        self.triggers.append(trigger)

    def _connect_line(self) -> None:
        ids = [node["id"] for node in self.definition["nodes"]]
        edges = self.definition["connections"]
        for position, (source, target) in enumerate(itertools.pairwise(ids)):
            # An id that is no text is refused where it stands, not here as well.
            if isinstance(source, str) and isinstance(target, str):
                where = self.places[place("nodes", position + 1)]
                self.places[place("connections", len(edges))] = where
                edges.append({"from": source, "to": target, "on": "success"})

    def _read_connections(self, where: str, items: object) -> None:
        for position, item in enumerate(self._list(where, items)):
            path = place(where, position)
            if not isinstance(item, dict):
                self.problem(path, 'must be an object like {"from": ..., "to": ...}')
                continue
            source, target = item.get("from"), item.get("to")
            if isinstance(target, str) and target in self.trigger_nodes:
                self.problem(
                    place(path, "to"),
                    f'"{target}" is a trigger: nothing can lead into it',
                )
            elif isinstance(source, str) and source in self.trigger_nodes:
                self._read_start(path, self.trigger_nodes[source], item)
            else:
                edges = self.definition["connections"]
                self.places[place("connections", len(edges))] = path
                edges.append({**item, "on": item.get("on", "success")})

    def _read_start(
        self, path: str, trigger: dict[str, Any], item: dict[str, Any]
    ) -> None:
        if item.get("on", "success") != "success":
            self.problem(place(path, "on"), 'a trigger has only the port "success"')
        for key in item.keys() - {"from", "to", "on"}:
            self.problem(place(path, key), "unknown key (known here: from, on, to)")
        self._start(place(path, "to"), trigger, item.get("to"))

    def _start(self, path: str, trigger: dict[str, Any], target: object) -> None:
        ids = [
            node["id"]
            for node in self.definition["nodes"]
            if isinstance(node["id"], str)
        ]
        if not isinstance(target, str):
            self.problem(path, "must be the id of a step")
        elif target not in ids:
            self.problem(path, f'there is no step "{target}"{suggest(target, ids)}')
        elif target not in trigger["start"]:
            trigger["start"].append(target)

    def _read_triggers(self, items: object) -> None:
        for position, item in enumerate(self._list("triggers", items)):
            path = place("triggers", position)
            if not isinstance(item, dict):
                self.problem(path, 'must be an object like {"kind": ..., "config": {}}')
                continue
            trigger, problems, warnings = trigger_from(
                path, item, self.trigger_kinds, node=False
            )
            self.problems += problems
            self.warnings += warnings
            if trigger is None:
                continue
            self.places[place("triggers", len(self.triggers))] = path
            self.triggers.append(trigger)
            start = item.get("start", [])
            for index, target in enumerate(self._list(place(path, "start"), start)):
                self._start(place(path, "start", index), trigger, target)

    def _failure_branches(self) -> None:
        """A drawn failure connection means `on_error: branch` where nothing is said."""
        failing = {
            edge.get("from")
            for edge in self.definition["connections"]
            if edge["on"] == "failure" and isinstance(edge.get("from"), str)
        }
        for position, node in enumerate(self.definition["nodes"]):
            named = isinstance(node["id"], str) and node["id"] in failing
            if named and "on_error" not in node:
                node["on_error"] = "branch"
                self.warnings.append(
                    Problem(
                        self.places[place("nodes", position)],
                        'on_error is "branch", because a connection leaves the '
                        'port "failure"',
                    )
                )
