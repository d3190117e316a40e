"""What secrets and connections have in common: a team's own, or everybody's."""

from __future__ import annotations

from typing import Any

from django.db.models import ForeignKey, Model
from django.http import HttpRequest

from automate.accounts.admin.base import AuditedAdmin


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
