"""The admin pages of people, teams, keys and the audit."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group

from automate.accounts.admin.api_key import ApiKeyAdmin
from automate.accounts.admin.audit_entry import AuditEntryAdmin
from automate.accounts.admin.failed_sign_in import FailedSignInAdmin
from automate.accounts.admin.group import GroupAdmin
from automate.accounts.admin.team import TeamAdmin
from automate.accounts.admin.user import UserAdmin
from automate.accounts.models import ApiKey, AuditEntry, FailedSignIn, Team, User


def register(site: AdminSite) -> None:
    """Put this package's pages on a site."""
    site.register(User, UserAdmin)
    site.register(Team, TeamAdmin)
    site.register(Group, GroupAdmin)
    site.register(ApiKey, ApiKeyAdmin)
    site.register(AuditEntry, AuditEntryAdmin)
    site.register(FailedSignIn, FailedSignInAdmin)
