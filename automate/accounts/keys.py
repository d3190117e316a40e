"""The verbs of API keys: make one, revoke one; both are in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from automate.accounts import audit
from automate.accounts.models import ApiKey, User
from automate.accounts.scopes import scopes_of
from automate.lib.database import write_transaction


class TooMuch(Exception):
    """More than whoever asks may do: `scopes` they lack, or a longer life."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


def make(
    by: User | ApiKey,
    name: str,
    scopes: Sequence[str],
    *,
    expires_at: datetime | None = None,
    rate_limit: str = "",
) -> tuple[ApiKey, str]:
    """A new key of this person, and its plain text. Raises TooMuch.

    Nobody gives what they lack. A key that makes another outlives it in nothing: else
    one that leaked would never end.
    """
    user = by.user if isinstance(by, ApiKey) else by
    own = list(by.scopes) if isinstance(by, ApiKey) else scopes_of(user)
    lacking = [one for one in scopes if one not in own and "admin" not in own]
    if lacking:
        raise TooMuch(f"You may not give {', '.join(lacking)}.", "scopes")
    if isinstance(by, ApiKey) and by.expires_at is not None:
        expires_at = expires_at or by.expires_at
        if expires_at > by.expires_at:
            raise TooMuch("It would outlive the key that makes it.", "expires_at")
    if rate_limit and not user.is_superuser:
        raise TooMuch("Limits are for superusers to set.", "rate_limit")
    with write_transaction():
        key, plain = ApiKey.objects.issue(
            user, name, list(dict.fromkeys(scopes)), expires_at, rate_limit
        )
        changes = {"scopes": key.scopes, "expires_at": expires_at}
        audit.record("apikey.create", key, by=by, changes=_plain(changes))
    return key, plain


def revoke(key: ApiKey, *, by: User | ApiKey) -> bool:
    """End it at once; False for one that was revoked before, which keeps its date."""
    rows = ApiKey.objects.filter(pk=key.pk, revoked_at=None)
    with write_transaction():
        if not rows.update(revoked_at=timezone.now()):
            return False
        audit.record("apikey.revoke", key, by=by)
    return True


def _plain(changes: dict[str, object]) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in changes.items()
        if value is not None
    }
