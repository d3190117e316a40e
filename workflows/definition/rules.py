"""The rules beyond the schema: ids, connections, graphs, templates."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from workflows.definition.bodies import Level, body_of, own_config, walk_graphs
from workflows.definition.graph import Either, Graph
from workflows.definition.info import ActionInfo
from workflows.definition.problems import Problem, listed, place, suggest
from workflows.definition.templates import Place, check_templates, plain_values

Registry = Mapping[str, ActionInfo]
Triggers = Sequence[Mapping[str, Any]]

EVERY_STEP_HAS = ("success", "failure")
# A wrong template costs milliseconds, for the sake of a good message.
MAX_TEMPLATE_PROBLEMS = 200


class Rules:
    """The rules over whatever is well-formed, for all graphs of a definition."""

    def __init__(
        self, definition: Mapping[str, Any], registry: Registry, triggers: Triggers
    ) -> None:
        self.definition = definition
        self.registry = registry
        self.triggers = triggers
        self.levels = list(walk_graphs(definition))
        self.loops_of: dict[str, tuple[str, ...]] = {}
        self.answered = frozenset(
            node["id"]
            for level in self.levels
            for _, node in nodes_of(level)
            if (info := info_of(node, registry)) and info.answered_by
        )
        self.twice: set[str] = set()
        self.left = MAX_TEMPLATE_PROBLEMS

    def problems(self, broken: Collection[str]) -> Iterator[Problem]:
        """`broken` are the places that the schema has refused already."""
        for level in self.levels:
            yield from self._ids(level)
        # What has run before a loop begins, by the place of its body.
        before: dict[str, Container[str]] = {"": frozenset()}
        for level in self.levels:
            rules = GraphRules(self, level, before[level.at])
            yield from rules.problems()
            before.update(rules.before_bodies())
            yield from _configs(level, self.registry, broken)
        yield from plain_values(self.definition.get("variables"), "variables")

    def _ids(self, level: Level) -> Iterator[Problem]:
        for position, node in nodes_of(level):
            path, name = place(level.at, "nodes", position, "id"), node["id"]
            if name in self.loops_of:
                self.twice.add(name)
                yield Problem(path, f'the id "{name}" is used twice', rule=True)
            self.loops_of.setdefault(name, level.loops)


class GraphRules:
    """The rules of one graph; `outside` are the steps that ran before its loop."""

    def __init__(self, rules: Rules, level: Level, outside: Container[str]) -> None:
        self.rules = rules
        self.level = level
        self.outside = outside
        self.graph = Graph.of(_without_rings(level.graph))
        self.nodes = list(nodes_of(level))
        names = {node["id"] for _, node in self.nodes}
        ambiguous = bool(names & rules.twice)
        self.cycle = None if ambiguous else self.graph.cycle()
        self.ids = frozenset(self.graph.ids)
        self.ancestors: Mapping[str, Container[str]] = {}
        if not ambiguous and not self.cycle:
            self.ancestors = self.graph.ancestors()

    def before(self, name: str) -> Container[str]:
        """The steps that have run when this one starts; all where that is unclear."""
        return Either((self.outside, self.ancestors.get(name, self.ids)))

    def before_bodies(self) -> Iterator[tuple[str, Container[str]]]:
        """For the body of each loop its place, and what has run when it starts."""
        for position, node in self.nodes:
            if body_of(node) is not None:
                path = place(self.level.at, "nodes", position, "config")
                yield path, self.before(node["id"])

    def problems(self) -> Iterator[Problem]:
        yield from self._connections()
        if self.cycle:
            path = " -> ".join(self.cycle)
            yield Problem(
                place(self.level.at, "connections"),
                f"the steps form a cycle: {path}",
                rule=True,
            )
        elif self.ancestors and not self.level.at:
            yield from self._unreachable()
        yield from self._templates()
        yield from self._verifies()

    def _verifies(self) -> Iterator[Problem]:
        """`on_unknown: verify` and the request that it makes belong together."""
        for position, node in self.nodes:
            info, config = info_of(node, self.rules.registry), node.get("config")
            if info is None or not isinstance(config, Mapping):
                continue
            path = place(self.level.at, "nodes", position)
            wanted = node.get("on_unknown") == "verify"
            if wanted and not info.verifies:
                message = f'a step of the type "{info.kind}" cannot be verified'
                yield Problem(place(path, "on_unknown"), message, rule=True)
            elif wanted and not config.get("verify"):
                message = (
                    'needs "verify" in the config: the request that says whether it '
                    "has happened"
                )
                yield Problem(place(path, "on_unknown"), message, rule=True)
            elif info.verifies and "verify" in config and not wanted:
                message = 'is never made: it needs "on_unknown": "verify"'
                yield Problem(place(path, "config", "verify"), message, rule=True)

    def _connections(self) -> Iterator[Problem]:
        nodes = {node["id"]: node for _, node in self.nodes}
        seen: set[tuple[str, str, str]] = set()
        for position, edge in enumerate(self.level.graph["connections"]):
            if not isinstance(edge, Mapping):
                continue
            path = place(self.level.at, "connections", position)
            for end in ("from", "to"):
                name = edge.get(end)
                if isinstance(name, str) and name not in nodes:
                    message = self._no_step(name)
                    yield Problem(place(path, end), message, rule=True)
            source, target, port = edge.get("from"), edge.get("to"), edge.get("on")
            if _is_ring(edge) and source in nodes and source not in self.rules.twice:
                message = f'leads from "{source}" to itself: a step cannot wait for it'
                yield Problem(path, message, rule=True)
            if not isinstance(port, str):
                continue
            if isinstance(source, str) and source in nodes:
                yield from self._port(path, nodes[source], port)
            if isinstance(source, str) and isinstance(target, str):
                if (source, target, port) in seen:
                    yield Problem(path, "this connection is drawn twice", rule=True)
                seen.add((source, target, port))

    def _no_step(self, name: str) -> str:
        loops = self.rules.loops_of.get(name)
        if loops is None:
            return f'there is no step "{name[:100]}"{suggest(name, self.ids)}'
        where = f'inside the loop "{loops[-1]}"' if loops else "outside every loop"
        return f'"{name}" is {where}: a connection stays within one graph'

    def _port(self, path: str, node: Mapping[str, Any], port: str) -> Iterator[Problem]:
        info = info_of(node, self.rules.registry)
        config = node.get("config")
        if info is None or not isinstance(config, Mapping):
            return
        ports = tuple(dict.fromkeys((*EVERY_STEP_HAS, *info.ports_for(config))))
        if port not in ports:
            message = (
                f'"{node["id"]}" has no port "{port[:100]}"; it has '
                f"{listed(ports)}{suggest(port, ports)}"
            )
            yield Problem(place(path, "on"), message, rule=True)
        elif port == "failure" and node.get("on_error", "stop") in ("stop", "continue"):
            yield Problem(
                place(path, "on"),
                f'is never taken: it needs "on_error": "branch" at "{node["id"]}"',
                rule=True,
            )

    def _unreachable(self) -> Iterator[Problem]:
        starts = [
            trigger.get("start") or self.graph.roots()
            for trigger in self.rules.triggers
        ]
        if not starts:
            return
        reached = self.graph.reachable(name for start in starts for name in start)
        for position, node in self.nodes:
            if node["id"] not in reached:
                message = (
                    f'no trigger leads to "{node["id"]}": connect it, or remove it'
                )
                yield Problem(place("nodes", position), message, rule=True)

    def _templates(self) -> Iterator[Problem]:
        rules, level = self.rules, self.level
        here = Place(
            "",
            frozenset(rules.loops_of),
            Either((self.outside, self.ids)),
            owner=level.loops[-1] if level.loops else "",
            loops=level.loops,
            loops_of=rules.loops_of,
            trigger_ids=frozenset(
                trigger["node_id"]
                for trigger in rules.triggers
                if trigger.get("node_id")
            ),
        )
        for position, node in self.nodes:
            info = info_of(node, rules.registry)
            at = replace(
                here,
                base=place(level.at, "nodes", position, "config"),
                before=self.before(node["id"]),
                owner=node["id"],
                answered=rules.answered,
                secret_fields=info.secret_fields if info else (),
                condition_fields=info.condition_fields if info else (),
                extra_roots=info.extra_roots if info else (),
            )
            found = islice(check_templates(own_config(node), at), rules.left)
            for problem in found:
                rules.left -= 1
                yield problem
        at = replace(here, base=place(level.at, "output"))
        yield from check_templates(level.graph.get("output"), at)


def nodes_of(level: Level) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The steps of one graph that have an id, with their positions."""
    nodes = level.graph["nodes"]
    for position, node in enumerate(nodes):
        if isinstance(node, Mapping) and isinstance(node.get("id"), str):
            yield position, node


def _is_ring(edge: object) -> bool:
    """Whether a connection leads from a step to itself: each is told where it is."""
    return (
        isinstance(edge, Mapping)
        and isinstance(edge.get("from"), str)
        and edge["from"] == edge.get("to")
    )


def _without_rings(graph: Mapping[str, Any]) -> dict[str, Any]:
    rest = [edge for edge in graph["connections"] if not _is_ring(edge)]
    return {**graph, "connections": rest}


def info_of(node: Mapping[str, Any], registry: Registry) -> ActionInfo | None:
    """What is known of the step's kind, if it is one."""
    kind = node.get("type")
    return registry.get(kind) if isinstance(kind, str) else None


def _configs(
    level: Level, registry: Registry, broken: Collection[str]
) -> Iterator[Problem]:
    """What the kinds themselves have to say of configs that fit their schema."""
    for position, node in nodes_of(level):
        info, config = info_of(node, registry), node.get("config")
        base = place(level.at, "nodes", position, "config")
        inner = tuple(place(base, key) for key in ("nodes", "connections"))
        body = body_of(node) is not None
        sound = not any(
            path.startswith(base) and not (body and path.startswith(inner))
            for path in broken
        )
        if info and isinstance(config, Mapping) and sound:
            for where, message in info.check(config):
                joint = "" if where.startswith("[") or not where else "."
                yield Problem(f"{base}{joint}{where}", message, rule=True)
