"""What the API shows of a webhook (docs/api-contracts.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request

from workflows import services
from workflows.models import Trigger
from workflows.triggers.schemes import options_of, scheme_of


def webhook(row: Trigger, request: Request) -> dict[str, Any]:
    """A webhook without its secrets; needs `workflow`."""
    events = row.config.get("events") or []
    methods = row.config.get("methods") or ["POST"]
    return {
        "id": row.pk,
        "workflow_id": row.workflow_id,
        "workflow": row.workflow.slug,
        "event_type": events[0] if len(events) == 1 else None,
        "events": events,
        "url": services.trigger_url(row),
        "url_path": row.path,
        "method": methods[0],
        "methods": methods,
        "headers": row.config.get("required_headers") or [],
        "condition": row.config.get("condition"),
        "authentication": _authentication(row),
        "is_active": row.is_active,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "links": _links(row, request),
    }


def _authentication(row: Trigger) -> Mapping[str, Any]:
    """The scheme with its options, and which secrets count since when, until when."""
    expires = row.previous_secret_expires_at
    counts = expires is not None and expires > timezone.now()
    scheme = scheme_of(row.config)
    return {
        "type": scheme.name,
        **options_of(row.config),
        "has_secret": row.secret is not None and scheme.secret_required,
        "secret_set_at": row.secret_set_at,
        "secret_used_at": row.secret_used_at,
        "previous_secret_expires_at": expires if counts else None,
        "previous_secret_used_at": row.previous_secret_used_at if counts else None,
    }


def _links(row: Trigger, request: Request) -> dict[str, str]:
    names = {
        "self": "webhook-detail",
        "rotate": "webhook-rotate",
        "test": "webhook-test",
    }
    return {
        name: request.build_absolute_uri(reverse(f"api:{view}", args=(row.pk,)))
        for name, view in names.items()
    }
