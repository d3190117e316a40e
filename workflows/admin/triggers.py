"""Saving triggers from the admin: rows, secrets, and the draft that names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html

from automate.accounts import audit
from automate.lib.encryption import Unreadable
from workflows import services
from workflows.models import Trigger, Workflow
from workflows.services import scheduling
from workflows.triggers.base import all_kinds

META = (
    "name", "description", "tags", "max_concurrent_runs", "exclusive", "priority",
    "run_timeout", "retention_days", "search_keys",
)  # fmt: skip


def document_of(
    workflow: Workflow, definition: Mapping[str, Any], **meta: Any
) -> dict[str, Any]:
    """The workflow as a document: this definition, and its triggers as they are now."""
    rows = Trigger.objects.filter(workflow=workflow).order_by("id")
    inner = {key: value for key, value in definition.items() if key != "triggers"}
    return {**meta, "definition": inner, "triggers": [entry_of(row) for row in rows]}


def entry_of(row: Trigger) -> dict[str, Any]:
    """A row as an entry of a document's triggers."""
    config = {**row.config, **({"path": row.path} if row.path else {})}
    entry: dict[str, Any] = {
        "kind": row.kind,
        "config": config,
        "is_active": row.is_active,
    }
    if row.node_id:
        entry["node_id"] = row.node_id
    if row.start:
        entry["start"] = row.start
    return entry


def save_trigger(request: HttpRequest, form: Any, trigger: Trigger) -> None:
    """Save the row and its secret, keep who did it, and show a new secret once."""
    by: Any = request.user
    is_new = trigger._state.adding
    changed = [name for name in form.changed_data if name not in SECRETIVE]
    if changed:
        trigger.next_fire_at = None
    trigger.save()
    scheduling.follow(trigger.workflow)
    if is_new or changed:
        changes = {"kind": trigger.kind, "config": trigger.config, "path": trigger.path}
        audit.record(
            "trigger.create" if is_new else "trigger.change",
            trigger,
            by=by,
            changes={**changes, "is_active": trigger.is_active},
        )
    data = form.cleaned_data
    if data.get("generate") or data.get("new_secret"):
        given = data.get("new_secret") or None
        new = services.rotate_trigger_secret(trigger, by, secret=given)
        if given is None:
            show_once(request, trigger, new)


SECRETIVE = ("new_secret", "generate")


def show_once(request: HttpRequest, trigger: Trigger, secret: str) -> None:
    """The message that holds a generated secret: the one time it is seen."""
    note = "Copy the signing secret of {} now, it is not shown again: <code>{}</code>"
    messages.success(request, format_html(note, trigger, secret))


def remember_triggers(workflow: Workflow, request: HttpRequest) -> None:
    """Write the rows into the draft, so that the next publish leaves them alone."""
    by: Any = request.user
    workflow.refresh_from_db()
    document = document_of(workflow, workflow.definition)
    services.save_draft(workflow, document, by=by)


def secret_state(trigger: Trigger) -> str:
    """Whether there is a signing secret, said below the box for a new one."""
    kind = all_kinds().get(trigger.kind)
    if kind is None or not kind.needs_secret(trigger.config):
        return "Needed when the scheme signs."
    if isinstance(trigger.secret, Unreadable):
        return f"The one that is set is {trigger.secret}."
    if trigger.secret is None:
        return "Not set yet."
    if trigger.previous_secret is not None and trigger.previous_secret_expires_at:
        until = trigger.previous_secret_expires_at
        return f"Is set. Empty keeps it. The one before works until {until:%F %R} UTC."
    return "Is set. Empty keeps it."
