"""Writing the audit: one function that every verb calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from automate.accounts.models import ApiKey, AuditEntry, User
from automate.lib.redaction import Redactor


def record(
    action: str,
    target: models.Model,
    *,
    by: User | ApiKey | None,
    changes: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Keep that somebody did `action` to `target`; `changes` is redacted by name.

    `by` is None for the system itself (a command run at the console).
    """
    key = by if isinstance(by, ApiKey) else None
    user = key.user if key else by
    return AuditEntry.objects.create(
        user=user if isinstance(user, User) else None,
        api_key=key,
        action=action,
        object_type=target._meta.label_lower,
        object_id=str(target.pk),
        object_name=str(target)[:200],
        changes=Redactor().data(dict(changes or {})),
    )
