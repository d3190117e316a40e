"""Workflows as n8n exports them, for tests, and what they become."""

from __future__ import annotations

import itertools
from typing import Any

from workflows.integrations.n8n.convert import Conversion
from workflows.integrations.n8n.report import NodeReport
from workflows.integrations.n8n.source import read_workflow
from workflows.services.documents import check_document
from workflows.services.n8n_import import converted

BASE = "n8n-nodes-base."


def node(
    name: str,
    kind: str,
    parameters: dict[str, Any] | None = None,
    version: float = 1,
    **more: Any,
) -> dict[str, Any]:
    """A node; `kind` is without n8n's own package."""
    type_ = kind if "." in kind else BASE + kind
    return {
        "name": name,
        "type": type_,
        "typeVersion": version,
        "parameters": parameters or {},
        **more,
    }


def exported(
    nodes: list[dict[str, Any]], edges: list[tuple[Any, ...]] | None = None, **more: Any
) -> dict[str, Any]:
    """A workflow; edges are (from, to), with the output and the input; else a line."""
    if edges is None:
        edges = list(itertools.pairwise(n["name"] for n in nodes))
    connections: dict[str, Any] = {}
    for source, target, *rest in edges:
        output, index = (*rest, 0, 0)[:2]
        outputs = connections.setdefault(source, {}).setdefault("main", [])
        while len(outputs) <= output:
            outputs.append([])
        outputs[output].append({"node": target, "type": "main", "index": index})
    return {"name": "Test", "nodes": nodes, "connections": connections, **more}


def convert(tree: dict[str, Any], slugs: dict[str, str] | None = None) -> Conversion:
    """The conversion, whose document our own check has nothing against."""
    found = converted(read_workflow(tree), slugs)
    assert check_document(found.document) == []
    return found


def line(*nodes: dict[str, Any], **more: Any) -> Conversion:
    """Nodes in a line behind a webhook."""
    hook = node("Webhook", "webhook", {"path": "x", "httpMethod": "POST"}, 2)
    return convert(exported([hook, *nodes], **more))


def step(conversion: Conversion, id_: str) -> dict[str, Any]:
    """The step of this id, wherever it is."""
    waiting = list(conversion.document["nodes"])
    for item in waiting:
        if item["id"] == id_:
            return dict(item)
        waiting += item["config"].get("nodes", [])
    raise AssertionError(f"no step {id_}: {[item['id'] for item in waiting]}")


def told(conversion: Conversion, name: str) -> NodeReport:
    """What the report says of a node."""
    return next(one for one in conversion.report.nodes if one.node == name)


def connections(conversion: Conversion) -> set[tuple[str, str, str]]:
    """The connections of the whole workflow: from, port, to."""
    drawn = conversion.document["connections"]
    return {(edge["from"], edge["on"], edge["to"]) for edge in drawn}
