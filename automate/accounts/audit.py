"""Writing the audit: one function that every verb calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import models

from automate.accounts.models import ApiKey, AuditEntry, Team, User
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
    team, is_shared = _owner_of(target)
    return AuditEntry.objects.create(
        user=user if isinstance(user, User) else None,
        api_key=key,
        action=action,
        object_type=target._meta.label_lower,
        object_id=str(target.pk),
        object_name=str(target)[:200],
        changes=Redactor().data(dict(changes or {})),
        team_id=team,
        is_shared=is_shared,
    )


def _owner_of(target: Any) -> tuple[UUID | None, bool]:
    """The team that an object belongs to, and whether it is everybody's.

    Neither of what belongs to no workflow and has no team: people, keys, campaigns.
    """
    if isinstance(target, Team):
        return target.pk, False
    for path in ("run", "workflow"):
        if hasattr(target, f"{path}_id"):
            return _owner_of(getattr(target, path))
    if not hasattr(target, "team_id"):
        return None, False
    return target.team_id, target.team_id is None
