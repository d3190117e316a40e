"""What secrets and connections have in common: a team's own, or everybody's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from django.db.models import ForeignKey, Model
from django.http import HttpRequest

from automate.accounts.admin.base import AuditedAdmin
from automate.lib.net.url import host_covered

GIVE_AGAIN = "Give it again: it would go to {}, where it could not go before."


class OwnedAdmin(AuditedAdmin):
    """Rows of teams. Those of no team serve every team: only superusers change them."""

    team_path = "team"

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        """Not what is shared, which others only see."""
        return _may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        """Not what is shared."""
        return _may_touch(request, obj) and super().has_delete_permission(request, obj)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Only superusers may leave the team empty."""
        if db_field.name == "team" and not request.user.is_superuser:
            kwargs |= {"required": True, "help_text": "The team that may use it."}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def _may_touch(request: HttpRequest, obj: Any) -> bool:
    return obj is None or obj.team_id is not None or request.user.is_superuser


def added_hosts(before: Collection[str], after: Collection[str]) -> list[str]:
    """The entries that allow a host which was not allowed; here empty means any."""
    if not before:
        return []
    if not after:
        return ["any host"]
    return sorted(entry for entry in after if not host_covered(entry, before))


def host_of(url: str) -> str:
    """The host of a base URL; empty without one."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def origin_changed(before: str, after: str) -> bool:
    """Whether a base URL leads to another host, or to the same one in the clear."""
    downgraded = before.startswith("https:") and after.startswith("http:")
    return host_of(before) != host_of(after) or downgraded
