"""What the API shows of workflows, versions and triggers (docs/api-contracts.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.urls import reverse
from rest_framework.request import Request

from automate.lib.redaction import Redactor
from workflows import services
from workflows.definition import extract_literals
from workflows.definition.diff import ABSENT, Change
from workflows.models import Trigger, Workflow, WorkflowVersion


def workflow(
    row: Workflow,
    triggers: Iterable[Trigger],
    request: Request,
    secrets: Mapping[UUID, str] | None = None,
) -> dict[str, Any]:
    """A workflow; `triggers` are its rows, `secrets` those made just now by trigger.

    Needs `published`, `team` and `owner`. `definition` is the draft.
    """
    definition = without_literals(row.definition)
    shown = [trigger(one, (secrets or {}).get(one.pk)) for one in triggers]
    if not shown:  # never published: what the draft describes
        shown = [_planned(entry) for entry in definition.get("triggers") or ()]
    return {
        "id": row.pk,
        "slug": row.slug,
        "name": row.name,
        "description": row.description,
        "status": row.status,
        "is_active": row.status == Workflow.Status.ACTIVE,
        "definition": definition,
        "variables": definition.get("variables") or {},
        "triggers": shown,
        "webhook_url": _webhook_url(shown),
        "owner": row.owner.email if row.owner else None,
        "team": row.team.slug if row.team else None,
        "version": row.published.number if row.published else None,
        "tags": row.tags,
        "max_concurrent_runs": row.max_concurrent_runs,
        "exclusive": row.exclusive or None,
        "priority": Workflow.Priority(row.priority).name.lower(),
        "run_timeout": row.run_timeout,
        "retention_days": row.retention_days,
        "search_keys": row.search_keys,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "links": _links(row, request),
    }


def without_literals(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as people may read it: one that was written past the services may
    hold a literal credential still."""
    return extract_literals(definition)[0]


def trigger(row: Trigger, secret: str | None = None) -> dict[str, Any]:
    """A trigger; `secret` was made just now and is never shown again."""
    shown = {
        "id": row.pk,
        "kind": row.kind,
        "node_id": row.node_id or None,
        "config": {**row.config, **({"path": row.path} if row.path else {})},
        "start": row.start,
        "is_active": row.is_active,
        "url": services.trigger_url(row) or None,
        "next_fire_at": row.next_fire_at,
    }
    return shown if secret is None else {**shown, "secret": secret}


def _planned(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A trigger of a draft, which has no row yet."""
    return {
        "id": None,
        "kind": entry.get("kind"),
        "node_id": entry.get("node_id"),
        "config": entry.get("config") or {},
        "start": entry.get("start") or [],
        "is_active": False,
        "url": None,
        "next_fire_at": None,
    }


def _webhook_url(triggers: Iterable[Mapping[str, Any]]) -> str | None:
    """The address of the first webhook that takes events, else of the first."""
    urls = [(not one["is_active"], one["url"]) for one in triggers if one["url"]]
    return min(urls, key=lambda pair: pair[0])[1] if urls else None


def _links(row: Workflow, request: Request) -> dict[str, str]:
    names = {
        "self": "workflow-detail",
        "versions": "workflow-versions",
        "publish": "workflow-publish",
        "execute": "workflow-execute",
        "logs": "workflow-logs",
    }
    return {
        name: request.build_absolute_uri(reverse(f"api:{view}", args=(row.pk,)))
        for name, view in names.items()
    }


def version(row: WorkflowVersion, published: UUID | None) -> dict[str, Any]:
    """A version as lists show it."""
    return {
        "id": row.pk,
        "number": row.number,
        "note": row.note,
        "sha256": row.sha256,
        "is_published": row.pk == published,
        "created_by": row.created_by.email if row.created_by else None,
        "created_at": row.created_at,
    }


def full_version(row: WorkflowVersion, published: UUID | None) -> dict[str, Any]:
    """A version with its definition, and the triggers that were published with it."""
    return {
        **version(row, published),
        "definition": without_literals(row.definition),
        "triggers": row.triggers,
    }


def change(found: Change) -> dict[str, Any]:
    """A difference; its values are redacted by name. What was not there is left out."""
    redact = Redactor().data
    values = {"old": found.old, "new": found.new}
    return {
        "kind": found.kind,
        "step": found.step or None,
        "loop": found.loop or None,
        "place": found.place or None,
        **{
            name: redact({found.place or name: value})[found.place or name]
            for name, value in values.items()
            if value is not ABSENT
        },
        "text": found.text(redact),
    }
