"""Reads one document in the spellings that people use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from workflows.definition.bodies import BODY_KINDS, node_ids
from workflows.definition.graph_reader import GraphReader, Notes
from workflows.definition.problems import Problem, listed, place, suggest
from workflows.definition.schema import RESERVED_IDS
from workflows.definition.steps import trigger_from
from workflows.expressions import rename_roots

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
        "exclusive",
        "priority",
        "run_timeout",
        "retention_days",
        "search_keys",
    }
)
# For editors, which find the published schema by it; it says nothing to us.
SCHEMA_KEY = "$schema"


def empty() -> dict[str, Any]:
    return {"nodes": [], "connections": [], "variables": {}}


def _renamed(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, str):
        return rename_roots(value, names, "trigger")
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value


class Reader:
    """Reads one document; the parts that it finds are its attributes."""

    def __init__(
        self, trigger_kinds: frozenset[str], body_kinds: frozenset[str] = BODY_KINDS
    ) -> None:
        self.notes = Notes(trigger_kinds, body_kinds)
        self.graph = GraphReader(self.notes)
        self.definition = empty()
        self.triggers = self.graph.triggers
        self.meta: dict[str, Any] = {}

    @property
    def places(self) -> dict[str, str]:
        return self.notes.places

    @property
    def problems(self) -> list[Problem]:
        return self.notes.problems

    @property
    def warnings(self) -> list[Problem]:
        return self.notes.warnings

    def problem(self, path: str, message: str) -> None:
        self.notes.problem(path, message)

    def read(self, document: dict[str, Any]) -> None:
        base, body = "", document
        outside = META_KEYS | {"triggers", SCHEMA_KEY}
        if "definition" in document:
            base, inner = "definition", document["definition"]
            if not isinstance(inner, dict):
                self.problem(base, 'must be an object with "nodes" or "steps"')
                inner = {}
            self._known_keys("", document, outside | {"definition"})
            inside = () if "triggers" in document else ("triggers",)
            self._known_keys(base, inner, DEFINITION_KEYS.union(inside))
            body = inner
        else:
            self._known_keys("", document, outside | DEFINITION_KEYS)
        if not isinstance(document.get(SCHEMA_KEY, ""), str):
            self.problem(place("", SCHEMA_KEY), "must be text")
        self.meta = {key: document[key] for key in META_KEYS & document.keys()}
        self._read_variables(document, base, body)
        self.graph.read(base, body)
        self.definition["nodes"] = self.graph.nodes
        self.definition["connections"] = self.graph.connections
        if "output" in body:
            self.definition["output"] = body["output"]
            self.places["output"] = place(base, "output")
        self._read_triggers(document, base, body)
        self._name_triggers()

    def _name_triggers(self) -> None:
        """`{{ trigger-1.payload }}` is `{{ trigger.payload }}` where a trigger is so
        called: what an event brought is under one name, whichever trigger took it."""
        given = {trigger.get("node_id", "") for trigger in self.triggers}
        names = given - node_ids(self.definition) - RESERVED_IDS - {""}
        if names:
            for key in ("nodes", "output"):
                if key in self.definition:
                    self.definition[key] = _renamed(self.definition[key], names)

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
        if variables is not None and not isinstance(variables, dict):
            self.problem(where, "must be an object")
            variables = None
        self.definition["variables"] = {} if variables is None else variables

    def _read_triggers(
        self, document: dict[str, Any], base: str, body: dict[str, Any]
    ) -> None:
        where = "triggers"
        if where in body and where not in document:
            document, where = body, place(base, where)
        items = self.notes.items(where, document.get("triggers", []))
        for position, item in enumerate(items):
            path = place(where, position)
            if not isinstance(item, dict):
                self.problem(path, 'must be an object like {"kind": ..., "config": {}}')
                continue
            trigger, problems, warnings = trigger_from(
                path, item, self.notes.trigger_kinds, node=False
            )
            self.notes.problems += problems
            self.notes.warnings += warnings
            if trigger is None:
                continue
            self.graph.add_trigger(path, item, trigger)
            start = self.notes.items(place(path, "start"), item.get("start", []))
            for index, target in enumerate(start):
                self.graph.start(place(path, "start", index), trigger, target)
