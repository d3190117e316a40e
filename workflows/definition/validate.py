"""All that is wrong with a definition, told at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator

from workflows.definition.explain import explain
from workflows.definition.graph import Graph
from workflows.definition.info import ActionInfo
from workflows.definition.normalise import TRIGGER_KINDS, Normalised, attempt
from workflows.definition.problems import Problem, in_order, listed, place, suggest
from workflows.definition.schema import MAX_NODES, RESERVED_IDS, definition_schema
from workflows.definition.templates import Place, check_templates, plain_values

Registry = Mapping[str, ActionInfo]
Triggers = Sequence[Mapping[str, Any]]


def check(
    document: object,
    registry: Registry,
    *,
    trigger_kinds: Collection[str] = TRIGGER_KINDS,
) -> tuple[Normalised, list[Problem]]:
    """Normalise and validate in one go; places are those of the document.

    The definition is canonical and sound exactly when there are no problems.
    """
    normalised, problems = attempt(document, trigger_kinds=trigger_kinds)
    found = _everything(normalised.definition, registry, normalised.triggers)
    if problems:
        # What could not be read is missing here: its absence is no second problem.
        found = [problem for problem in found if problem.path not in ("", "nodes")]
    moved = (Problem(normalised.original(p.path), p.message) for p in found)
    return normalised, in_order([*problems, *moved])


def validate(
    definition: Mapping[str, Any], registry: Registry, triggers: Triggers = ()
) -> list[Problem]:
    """Every problem of a canonical definition; places are those of this form.

    With `triggers`, steps that none of them leads to are problems too.
    """
    return in_order(_everything(definition, registry, triggers))


def structural_problems(
    definition: Mapping[str, Any], registry: Registry
) -> list[Problem]:
    """What the published JSON Schema refuses, in plain words."""
    return in_order(_structural(definition, registry))


def _everything(
    definition: Mapping[str, Any], registry: Registry, triggers: Triggers
) -> list[Problem]:
    nodes = definition.get("nodes")
    if isinstance(nodes, list) and len(nodes) > MAX_NODES:
        return [Problem("nodes", f"must have at most {MAX_NODES:,} entries")]
    problems = list(_structural(definition, registry))
    edges = definition.get("connections")
    if not isinstance(nodes, list) or not isinstance(edges, list):
        return problems
    rules = _Rules(definition, registry, triggers)
    return [*problems, *rules.problems({problem.path for problem in problems})]


def _structural(definition: Mapping[str, Any], registry: Registry) -> Iterator[Problem]:
    schema = definition_schema(
        {kind: info.config_schema for kind, info in registry.items()}
    )
    for error in Draft202012Validator(schema).iter_errors(definition):
        yield from explain(error)


# A wrong template costs milliseconds, for the sake of a good message.
MAX_TEMPLATE_PROBLEMS = 200


class _Rules:
    """The rules beyond the schema, over whatever is well-formed."""

    def __init__(
        self, definition: Mapping[str, Any], registry: Registry, triggers: Triggers
    ) -> None:
        self.definition = definition
        self.registry = registry
        self.triggers = triggers
        self.graph = Graph.of(definition)
        self.trigger_ids = frozenset(
            trigger["node_id"] for trigger in triggers if trigger.get("node_id")
        )
        self.nodes = [
            (position, node)
            for position, node in enumerate(definition["nodes"])
            if isinstance(node, Mapping) and isinstance(node.get("id"), str)
        ]

    def problems(self, broken: Collection[str]) -> Iterator[Problem]:
        """`broken` are the places that the schema has refused already."""
        duplicates = list(self._ids())
        yield from duplicates
        yield from self._connections()
        cycle = None if duplicates else self.graph.cycle()
        if cycle:
            path = " -> ".join(cycle)
            yield Problem("connections", f"the steps form a cycle: {path}")
        elif not duplicates:
            yield from self._unreachable()
        yield from self._templates(in_cycle=bool(cycle or duplicates))
        yield from self._configs(broken)
        variables = self.definition.get("variables")
        yield from plain_values(variables, "variables")

    def _ids(self) -> Iterator[Problem]:
        first: dict[str, int] = {}
        for position, node in self.nodes:
            path, name = place("nodes", position, "id"), node["id"]
            if name.lower() in RESERVED_IDS:
                yield Problem(path, f'"{name}" is reserved; choose another id')
            if name in first:
                yield Problem(path, f'the id "{name}" is used twice')
            first.setdefault(name, position)

    def _connections(self) -> Iterator[Problem]:
        nodes = {node["id"]: node for _, node in self.nodes}
        seen: set[tuple[str, str, str]] = set()
        for position, edge in enumerate(self.definition["connections"]):
            if not isinstance(edge, Mapping):
                continue
            path = place("connections", position)
            for end in ("from", "to"):
                name = edge.get(end)
                if isinstance(name, str) and name not in nodes:
                    hint = suggest(name, nodes)
                    message = f'there is no step "{name[:100]}"{hint}'
                    yield Problem(place(path, end), message)
            source, target, port = edge.get("from"), edge.get("to"), edge.get("on")
            if not isinstance(port, str):
                continue
            if isinstance(source, str) and source in nodes:
                yield from self._port(path, nodes[source], port)
            if isinstance(source, str) and isinstance(target, str):
                if (source, target, port) in seen:
                    yield Problem(path, "this connection is drawn twice")
                seen.add((source, target, port))

    def _port(self, path: str, node: Mapping[str, Any], port: str) -> Iterator[Problem]:
        info = self._info(node)
        config = node.get("config")
        if info is None or not isinstance(config, Mapping):
            return
        ports = info.ports_for(config)
        if port not in ports:
            message = (
                f'"{node["id"]}" has no port "{port[:100]}"; it has '
                f"{listed(ports)}{suggest(port, ports)}"
            )
            yield Problem(place(path, "on"), message)
        elif port == "failure" and node.get("on_error", "stop") in ("stop", "continue"):
            yield Problem(
                place(path, "on"),
                f'is never taken: it needs "on_error": "branch" at "{node["id"]}"',
            )

    def _unreachable(self) -> Iterator[Problem]:
        starts = [
            trigger.get("start") or self.graph.roots() for trigger in self.triggers
        ]
        if not starts:
            return
        reached = self.graph.reachable(name for start in starts for name in start)
        for position, node in self.nodes:
            if node["id"] not in reached:
                yield Problem(
                    place("nodes", position),
                    f'no trigger leads to "{node["id"]}": connect it, or remove it',
                )

    def _info(self, node: Mapping[str, Any]) -> ActionInfo | None:
        kind = node.get("type")
        return self.registry.get(kind) if isinstance(kind, str) else None

    def _templates(self, *, in_cycle: bool) -> Iterator[Problem]:
        left = MAX_TEMPLATE_PROBLEMS
        ids = frozenset(self.graph.ids)
        before: Mapping[str, Set[str]] = {}
        if not in_cycle:
            before = self.graph.ancestors()
        for position, node in self.nodes:
            info = self._info(node)
            at = Place(
                place("nodes", position, "config"),
                ids,
                before.get(node["id"], ids),
                owner=node["id"],
                secret_fields=info.secret_fields if info else (),
                condition_fields=info.condition_fields if info else (),
                extra_roots=info.extra_roots if info else (),
                trigger_ids=self.trigger_ids,
            )
            found = islice(check_templates(node.get("config"), at), left)
            for problem in found:
                left -= 1
                yield problem
        at = Place("output", ids, ids, trigger_ids=self.trigger_ids)
        yield from check_templates(self.definition.get("output"), at)

    def _configs(self, broken: Collection[str]) -> Iterator[Problem]:
        for position, node in self.nodes:
            info, config = self._info(node), node.get("config")
            base = place("nodes", position, "config")
            sound = not any(path.startswith(base) for path in broken)
            if info and isinstance(config, Mapping) and sound:
                for where, message in info.check(config):
                    joint = "" if where.startswith("[") or not where else "."
                    yield Problem(f"{base}{joint}{where}", message)
