"""Teams, and what they own."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from automate.accounts.admin.base import AuditedAdmin
from automate.accounts.admin.html import list_link
from automate.accounts.models import Team, User


class TeamAdmin(AuditedAdmin):
    """Teams by name, with links to their members."""

    list_display = ("name", "slug", "members", "created_at")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012 - Django's own form
    fields = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        """Teams with the number of their members."""
        return super().get_queryset(request).annotate(people=Count("members"))

    @admin.display(description="members", ordering="people")
    def members(self, team: Team) -> str:
        """A link to the people of this team."""
        return list_link(User, team.people, teams__id__exact=team.pk)  # type: ignore[attr-defined]
