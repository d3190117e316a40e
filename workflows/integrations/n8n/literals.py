"""Credentials that stand literally in a workflow, where no secret may stand here.

What saving a draft does (`extract_literals`) makes them secrets. In a step that may
hold none, the draft could never be published.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from workflows.actions import base as actions
from workflows.definition import extract_literals
from workflows.definition.problems import place

TAKEN_OUT = "[a credential was here]"


def without_literals(
    id_: str, type_: str, config: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The config without those that could not become secrets, and their places."""
    plain = deepcopy(dict(config))
    definition = {
        "nodes": [{"id": id_, "type": type_, "config": plain}],
        "connections": [],
    }
    _, found, messages = extract_literals(definition)
    if not found:
        return plain, []
    fields = actions.get(type_).secret_fields
    prefix = "nodes[0].config"
    lost = []
    for message in messages:
        where = message.path.removeprefix(prefix).lstrip(".")
        if not any(_below(where, field) for field in fields):
            lost.append(where)
    return _taken_out(plain, "", set(lost)), lost


def _below(where: str, field: str) -> bool:
    return where == field or where.startswith((f"{field}.", f"{field}["))


def _taken_out(given: Any, at: str, lost: set[str]) -> Any:
    if at in lost:
        return TAKEN_OUT
    if isinstance(given, dict):
        return {k: _taken_out(item, place(at, k), lost) for k, item in given.items()}
    if isinstance(given, list):
        return [_taken_out(item, place(at, i), lost) for i, item in enumerate(given)]
    return given
