"""Versions as the engine uses them: compiled once a process, never changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from runs.engine.plan import Graph
from runs.engine.retry import RetryPolicy
from workflows import expressions
from workflows.actions import base as actions
from workflows.models import WorkflowVersion

DEFAULT_TIMEOUT = 15.0
KEEP = 256


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a version, ready to be performed.

    `reads` are the steps whose outputs its config refers to, `secrets` the names of
    the secrets that it uses.
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


@dataclass(frozen=True, slots=True)
class Compiled:
    """A version's graph and nodes, and what its run's output refers to."""

    id: UUID
    workflow_id: UUID
    number: int
    graph: Graph
    nodes: Mapping[str, Node]
    variables: Mapping[str, Any]
    output: Any
    output_reads: frozenset[str]
    step_ids: frozenset[str]

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
    ids = frozenset(node["id"] for node in definition.get("nodes", []))
    output = definition.get("output")
    return Compiled(
        id=version.pk,
        workflow_id=version.workflow_id,
        number=version.number,
        graph=Graph.of(definition),
        nodes={
            node["id"]: _compile_node(node, ids) for node in definition.get("nodes", [])
        },
        variables=definition.get("variables") or {},
        output=output,
        output_reads=_names(expressions.references(output, ids), "steps"),
        step_ids=ids,
    )


def _compile_node(node: Mapping[str, Any], ids: frozenset[str]) -> Node:
    action = actions.get(node["type"])
    config = node.get("config") or {}
    references = expressions.references(config, ids)
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
        secrets=_names(references, "secrets"),
        connection=str(config.get("connection") or ""),
    )


def _names(references: Iterable[tuple[str, ...]], root: str) -> frozenset[str]:
    return frozenset(item[1] for item in references if item[0] == root and item[1:])
