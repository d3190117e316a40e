"""Saving triggers from the admin: rows, secrets, and the draft that names them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html

from automate.accounts import audit
from automate.lib.encryption import Unreadable
from workflows import services
from workflows.models import Trigger
from workflows.services import scheduling
from workflows.triggers.base import all_kinds

META = (
    "name", "description", "tags", "max_concurrent_runs", "exclusive", "priority",
    "run_timeout", "retention_days", "search_keys",
)  # fmt: skip


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
