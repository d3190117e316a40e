"""Teams, and what they own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from automate.accounts.admin.base import AuditedAdmin
from automate.accounts.admin.html import list_link, when
from automate.accounts.models import Team, User


class TeamAdmin(AuditedAdmin):
    """Teams by name, with links to their members."""

    list_display = ("name", "slug", "member_count", "created")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012 - Django's own form
    fields = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        """One's own teams, for superusers all, with the number of their members."""
        rows: QuerySet[Team] = super().get_queryset(request)
        if not request.user.is_superuser:
            rows = rows.filter(pk__in=request.user.teams.values("pk"))  # type: ignore[union-attr]
        return rows.annotate(people=Count("members"))

    def save_model(
        self,
        request: HttpRequest,
        obj: Team,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Who makes a team without seeing all of them is its first member."""
        super().save_model(request, obj, form, change)
        if not (change or request.user.is_superuser):
            request.user.teams.add(obj)  # type: ignore[union-attr]

    created = when("created_at", "created", sortable=True)

    @admin.display(description="members", ordering="people")
    def member_count(self, team: Team) -> str:
        """A link to the people of this team."""
        return list_link(User, team.people, teams__id__exact=team.pk)  # type: ignore[attr-defined]
