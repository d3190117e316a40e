"""The signed address of a step that waits for an answer: whoever has it may answer.

And the address of a run's events, which wants a key or a session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings

from automate.lib import capability
from workflows import expressions
from workflows.actions import base as actions
from workflows.definition import node_ids, own_config, walk_nodes

PREFIX = "/v1/resume/"
_PURPOSE = "resume"


def events_url(run_id: UUID) -> str:
    """Where the stream listener tells of this run."""
    return f"{settings.STREAM_URL}/api/v1/runs/{run_id}/events"


def address_of(run_id: UUID, node_id: str) -> str:
    """The address at which this step of this run takes its one answer."""
    signature = capability.signatures(_PURPOSE, str(run_id), node_id)[0]
    return f"{settings.PUBLIC_URL}{PREFIX}{run_id}/{node_id}/{signature}"


def may_answer(run_id: str, node_id: str, signature: str) -> bool:
    """Whether the address with these parts is one of ours; as long for each."""
    return capability.is_signed(signature, _PURPOSE, run_id, node_id)


def hidden_parts(run_ids: Iterable[UUID], node_ids: Iterable[str]) -> set[str]:
    """What nobody may read of these addresses: their signatures, by every key."""
    names = list(node_ids)
    return {
        signature
        for run_id in run_ids
        for node_id in names
        for signature in capability.signatures(_PURPOSE, str(run_id), node_id)
    }


def named_in(definition: Mapping[str, Any]) -> frozenset[str]:
    """The steps whose addresses the templates of a definition name, bodies included.

    Raises TemplateError for templates that do not parse.
    """
    ids = node_ids(definition)
    found: set[str] = set()
    for item in walk_nodes(definition):
        conditions = actions.get(item.node["type"]).condition_fields
        config = own_config(item.node) or {}
        found |= names_in(expressions.references(config, ids, conditions))
    return frozenset(found)


def names_in(references: Iterable[tuple[str, ...]]) -> frozenset[str]:
    """The steps of `run.urls.STEP` among these references."""
    return frozenset(
        path[2] for path in references if path[:2] == ("run", "urls") and path[2:]
    )


def answered_by(definition: Mapping[str, Any], node_id: str) -> str:
    """By what this step of a definition is answered; empty when it is by nothing."""
    for item in walk_nodes(definition):
        if item.node.get("id") == node_id:
            return str(actions.get(item.node["type"]).answered_by)
    return ""
