"""Versions as the engine uses them: compiled once a process, never changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from runs import addresses
from runs.engine.plan import Graph
from runs.engine.retry import RetryPolicy
from workflows import expressions
from workflows.actions import base as actions
from workflows.definition import Level, node_ids, own_config, walk_graphs
from workflows.models import WorkflowVersion

DEFAULT_TIMEOUT = 15.0
KEEP = 256
_EVENT = frozenset({"trigger"})  # its body holds the files


@dataclass(frozen=True, slots=True)
class Verify:
    """The request that says whether an earlier one had its effect.

    `request` is the config of it; `happened` a condition and `output` a tree that read
    its answer as `run.answer`. `secrets` and `urls` as those of a node.
    """

    request: Mapping[str, Any]
    happened: Any
    output: Any
    secrets: frozenset[str]
    urls: frozenset[str]


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a version, ready to be performed.

    `config` is without the body, of a loop, and without `verify`. `reads` are the steps
    whose outputs it refers to, `urls` those whose addresses it hands out, `secrets` the
    names of the secrets that it uses, `roots` the first names of its expressions.
    `keyed`: they use `run.idempotency_key`. `connection` is a name, or empty; `timeout`
    is in seconds.
    """

    id: str
    kind: str
    config: Mapping[str, Any]
    action: actions.Action
    retry: RetryPolicy
    retry_on: tuple[int | str, ...] | None
    timeout: float
    on_unknown: str
    reads: frozenset[str]
    secrets: frozenset[str]
    connection: str
    urls: frozenset[str] = frozenset()
    roots: frozenset[str] = frozenset()
    verify: Verify | None = None
    keyed: bool = False

    @property
    def all_secrets(self) -> frozenset[str]:
        """The secrets that its requests use, the verify request among them."""
        return self.secrets | self.verify.secrets if self.verify else self.secrets


@dataclass(frozen=True, slots=True)
class Compiled:
    """A version's graph and nodes, and what its run's output refers to.

    `urls` are the steps whose addresses any step hands out. `bodies` are those of its
    loops, by the loop's id, also of loops in loops; each is as a version of its own,
    with the same `step_ids`, `variables`, `secrets`, `connections` and `urls`: what
    the steps of all levels name. `lasts` are the steps that nothing follows, `roots`
    the first names of all expressions of this level, `outer` the steps of other levels
    that they read. `calls`: some step runs another workflow. `output_reads` are the
    steps that the run's output refers to.
    """

    id: UUID
    workflow_id: UUID
    number: int
    graph: Graph
    nodes: Mapping[str, Node]
    variables: Mapping[str, Any]
    output: Any
    output_reads: frozenset[str]
    step_ids: frozenset[str]
    urls: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    connections: frozenset[str] = frozenset()
    calls: bool = False
    lasts: tuple[str, ...] = ()
    roots: frozenset[str] = frozenset()
    outer: frozenset[str] = frozenset()
    bodies: Mapping[str, Compiled] = field(default_factory=dict)

    def as_child(self) -> Compiled:
        """The same with an output for whoever started the run: its last steps'."""
        if self.output is not None:
            return self
        each = {
            name: f'{{{{ steps["{name}"] | default(none) }}}}' for name in self.lasts
        }
        output: Any = each if len(each) != 1 else each[self.lasts[0]]
        return replace(self, output=output, output_reads=frozenset(self.lasts))

    def body(self, loop: str) -> Compiled:
        """The body of this loop; ValueError when the version has no such loop."""
        if loop not in self.bodies:
            raise ValueError(f"version {self.number} has no loop {loop}")
        return self.bodies[loop]

    def node(self, node_id: str) -> Node | None:
        """The step of this id, in whichever loop it stands."""
        for level in (self, *self.bodies.values()):
            if node_id in level.nodes:
                return level.nodes[node_id]
        return None

    @property
    def reads(self) -> frozenset[str]:
        """Every step whose output something refers to."""
        sets = (node.reads for node in self.nodes.values())
        return self.output_reads.union(*sets)


_cache: OrderedDict[UUID, Compiled] = OrderedDict()
_lock = threading.Lock()  # a drain and its heartbeat's reaper both look here


def compiled(ids: Iterable[UUID]) -> dict[UUID, Compiled | Exception]:
    """The compiled versions of these ids; an exception stands for one that fails.

    At most one query, for those that this process has not seen.
    """
    wanted = set(ids)
    found: dict[UUID, Compiled | Exception] = {}
    with _lock:
        for key in wanted & _cache.keys():
            _cache.move_to_end(key)
            found[key] = _cache[key]
    missing = wanted - found.keys()
    if missing:
        for version in WorkflowVersion.objects.filter(pk__in=missing):
            found[version.pk] = _compile_safely(version)
    return found


def _compile_safely(version: WorkflowVersion) -> Compiled | Exception:
    try:
        result = compile_version(version)
    except Exception as error:  # noqa: BLE001 - it ends its own runs, no others
        return error
    with _lock:
        _cache[version.pk] = result
        while len(_cache) > KEEP:
            _cache.popitem(last=False)
    return result


def compile_version(version: WorkflowVersion) -> Compiled:
    """The version as the engine uses it. Raises for unknown step kinds and cycles."""
    definition = version.definition
    ids = node_ids(definition)
    levels = {
        level.loops[-1] if level.loops else "": _compile_level(version, level, ids)
        for level in walk_graphs(definition)
    }
    nodes = [node for level in levels.values() for node in level.nodes.values()]
    named: dict[str, Any] = {
        "secrets": frozenset().union(*(node.all_secrets for node in nodes)),
        "connections": frozenset(n.connection for n in nodes if n.connection),
        "calls": any(node.action.calls for node in nodes),
        "urls": addresses.named_in(definition),
    }
    bodies = {
        loop: replace(part, **named).as_child() for loop, part in levels.items() if loop
    }
    return replace(levels[""], bodies=bodies, **named)


def _compile_level(
    version: WorkflowVersion, level: Level, ids: frozenset[str]
) -> Compiled:
    graph = level.graph
    nodes = {node["id"]: _compile_node(node, ids) for node in graph.get("nodes", [])}
    output = graph.get("output")
    output_references = expressions.references(output, ids)
    reads = _names(output_references, "steps")
    sources = {edge["from"] for edge in graph.get("connections", [])}
    return Compiled(
        id=version.pk,
        workflow_id=version.workflow_id,
        number=version.number,
        graph=Graph.of(graph, side_ports(graph)),
        nodes=nodes,
        variables=version.definition.get("variables") or {},
        output=output,
        output_reads=reads,
        step_ids=ids,
        lasts=tuple(node for node in nodes if node not in sources),
        roots=frozenset(item[0] for item in output_references).union(
            *(node.roots for node in nodes.values())
        ),
        outer=reads.union(*(node.reads for node in nodes.values())) - nodes.keys(),
    )


def side_ports(definition: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """The ports of each node that are no success, where it has any."""
    found = {
        node["id"]: frozenset(actions.get(node["type"]).side_ports)
        for node in definition.get("nodes", [])
    }
    return {node_id: ports for node_id, ports in found.items() if ports}


def _compile_node(node: Mapping[str, Any], ids: frozenset[str]) -> Node:
    action = actions.get(node["type"])
    config = own_config(node) or {}
    references = expressions.references(config, ids, action.condition_fields)
    own, verify = references, None
    if action.verifies and isinstance(config.get("verify"), Mapping):
        verify = _compile_verify(config["verify"], ids)
        config = {key: value for key, value in config.items() if key != "verify"}
        own = expressions.references(config, ids, action.condition_fields)
    retry = node.get("retry") or {}
    retry_on = retry.get("retry_on")
    return Node(
        id=node["id"],
        kind=node["type"],
        config=config,
        action=action,
        retry=RetryPolicy.of(action.retry, retry),
        retry_on=None if retry_on is None else tuple(retry_on),
        timeout=float(node.get("timeout") or action.timeout or DEFAULT_TIMEOUT),
        on_unknown=node.get("on_unknown", "retry"),
        reads=_names(references, "steps"),
        secrets=_names(own, "secrets"),
        connection=str(config.get("connection") or ""),
        urls=addresses.names_in(own),
        roots=frozenset(item[0] for item in references)
        | (_EVENT if action.takes_file(config) else frozenset()),
        verify=verify,
        keyed=any(item[:2] == ("run", "idempotency_key") for item in references),
    )


def _compile_verify(given: Mapping[str, Any], ids: frozenset[str]) -> Verify:
    decides = ("happened", "output")
    request = {key: value for key, value in given.items() if key not in decides}
    references = expressions.references(request, ids)
    return Verify(
        request={"method": "GET", **request},
        happened=given["happened"],
        output=given.get("output", "{{ run.answer }}"),
        secrets=_names(references, "secrets"),
        urls=addresses.names_in(references),
    )


def _names(references: Iterable[tuple[str, ...]], root: str) -> frozenset[str]:
    return frozenset(item[1] for item in references if item[0] == root and item[1:])
