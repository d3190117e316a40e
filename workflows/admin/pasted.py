"""A whole document in the box of the draft: its parts go where the page has them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.http import QueryDict
from django.utils.text import slugify

from automate.lib import jsonio
from workflows.admin.triggers import META
from workflows.definition import Problem
from workflows.definition.reader import META_KEYS, SCHEMA_KEY
from workflows.models import Trigger, Workflow
from workflows.services.documents import TriggerSpec
from workflows.services.meta import read_meta


def taken_apart(tree: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A document with its definition within, and the workflow's own keys."""
    meta = {key: tree[key] for key in META_KEYS & tree.keys()}
    rest = {k: v for k, v in tree.items() if k not in META_KEYS | {SCHEMA_KEY}}
    return (rest if "definition" in rest else {"definition": rest}), meta


def filled(
    posted: Any, fields: Collection[str]
) -> tuple[Any, list[Problem], list[str]]:
    """What was posted, those of `fields` that are empty filled from the document.

    Beside it what is wrong with the document's own keys, and what of them was left
    out because the page says something else.
    """
    try:
        tree = jsonio.loads(posted.get("definition") or "")
    except jsonio.BadJSON:
        return posted, [], []
    if not isinstance(tree, dict):
        return posted, [], []
    _, keys = taken_apart(tree)
    meta, problems = read_meta(keys)
    if problems or not keys:
        return posted, problems, []
    said = {"slug": meta.slug, **meta.fields}
    result: QueryDict = posted.copy()
    notes = [
        f"“{key}” of the pasted document was left out: this page says it elsewhere."
        for key in ("status", "team", "note")
        if key in keys
    ]
    for name in ("slug", *META):
        if said.get(name) in (None, "", [], {}) or name not in fields:
            continue
        given, written = str(posted.get(name, "")).strip(), _written(said[name])
        if given in ("", _written(_default(name))):
            result[name] = written
        elif given != written and name not in ("tags", "search_keys"):
            notes.append(
                f"“{name}” of the pasted document was left out: "
                f"the field has “{given}”."
            )
    if not result.get("slug"):
        result["slug"] = slugify(result.get("name", ""))[:100]
    return result, [], notes


def _default(name: str) -> Any:
    return Workflow._meta.get_field(name).get_default()  # type: ignore[union-attr]


def _written(value: Any) -> str:
    """As a browser sends it."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(value) if value else ""
    return "" if value is None else str(value)


def entries_of(
    specs: Iterable[TriggerSpec], rows: Iterable[Trigger]
) -> tuple[list[dict[str, Any]], set[Any]]:
    """The pasted triggers as entries of a document; the ids of rows they stand for.

    By the id of the node, then by path; one without either is the row that says the
    same.
    """
    left = list(rows)
    entries: list[dict[str, Any]] = []
    claimed: set[Any] = set()
    for spec in specs:
        row = next((row for row in left if _same(spec, row)), None)
        entry = spec.as_document()
        if spec.secret:
            entry["secret"] = spec.secret
        if row is not None:
            left.remove(row)
            claimed.add(row.pk)
            entry.setdefault("is_active", row.is_active)
        entries.append(entry)
    return entries, claimed


def _same(spec: TriggerSpec, row: Trigger) -> bool:
    if spec.kind != row.kind:
        return False
    if spec.node_id and spec.node_id == row.node_id:
        return True
    if spec.path:
        return spec.path == row.path
    return not (spec.node_id or row.path) and spec.config == row.config
