"""Workflows as documents: what an import takes back, without any secret value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows.definition import extract_literals
from workflows.definition.bodies import body_of, own_config
from workflows.models import Trigger, Workflow
from workflows.services.documents import Document, parse_document
from workflows.services.matching import governed, rows_of

LIMITS = {"max_concurrent_runs": None, "run_timeout": 86_400, "retention_days": None}


def document_of(workflow: Workflow) -> dict[str, Any]:
    """The draft and its triggers; secrets by name, signing secrets not at all.

    Raises DocumentError for a draft that cannot be read.
    """
    draft = parse_document(workflow.definition, allow_problems=True)
    # A draft written past the services may hold a literal still.
    definition, _, _ = extract_literals(draft.definition)
    result: dict[str, Any] = {"name": workflow.name, "slug": workflow.slug}
    if workflow.description:
        result["description"] = workflow.description
    result["status"] = workflow.status
    if workflow.team is not None:
        result["team"] = workflow.team.slug
    if workflow.exclusive:
        result["exclusive"] = workflow.exclusive
    if workflow.priority != Workflow.Priority.NORMAL:
        result["priority"] = Workflow.Priority(workflow.priority).name.lower()
    for name in ("tags", "search_keys"):
        if getattr(workflow, name):
            result[name] = getattr(workflow, name)
    for name, default in LIMITS.items():
        if getattr(workflow, name) != default:
            result[name] = getattr(workflow, name)
    result["definition"] = _compact(definition)
    triggers = triggers_of(workflow, draft)
    if triggers or draft.names_triggers:
        result["triggers"] = triggers
    return result


def triggers_of(workflow: Workflow, draft: Document) -> list[dict[str, Any]]:
    """The triggers that the draft describes, then those that were made by hand."""
    rows = rows_of(workflow)
    mine = governed(draft, rows)
    described = [spec.as_document() for spec in draft.triggers]
    return described + [_row(row) for row in rows if row not in mine]


def _row(row: Trigger) -> dict[str, Any]:
    config = {**row.config, **({"path": row.path} if row.path else {})}
    entry: dict[str, Any] = {"kind": row.kind, "config": config}
    if row.start:
        entry["start"] = row.start
    if not row.is_active:
        entry["is_active"] = False
    return entry


def _compact(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty, with the keys in the order in which people read them."""
    result: dict[str, Any] = {"nodes": [_in_order(n) for n in definition["nodes"]]}
    for key in ("connections", "variables"):
        if definition.get(key):
            result[key] = definition[key]
    if "output" in definition:
        result["output"] = definition["output"]
    return result


def _in_order(node: dict[str, Any]) -> dict[str, Any]:
    first = ("id", "type", "name", "config")
    rest = sorted(node.keys() - set(first))
    result = {key: node[key] for key in (*first, *rest) if key in node}
    body = body_of(node)
    if body is not None:
        result["config"] = {**own_config(node), **_compact(body)}
    return result
