"""Roles: groups of permissions."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import admin as auth_admin
from django.http import HttpRequest

from automate.accounts.admin.base import AuditedAdmin

if TYPE_CHECKING:
    _GroupAdmin = object
else:
    _GroupAdmin = auth_admin.GroupAdmin


class GroupAdmin(AuditedAdmin, _GroupAdmin):
    """Django's own page, audited; only superusers may change what a role may do."""

    list_display = ("name",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever could write roles could give themselves everything."""
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever could write roles could give themselves everything."""
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever could write roles could give themselves everything."""
        return bool(request.user.is_superuser)
