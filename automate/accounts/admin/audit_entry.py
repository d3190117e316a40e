"""The audit: who changed what, and when."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import block, pretty, when
from automate.accounts.models import AuditEntry, User
from automate.accounts.visibility import seen_entries

OURS = ("accounts", "auth", "workflows", "runs", "webhooks")


class TypeFilter(admin.SimpleListFilter):
    """By what was changed; the choices are models, not a scan of the table."""

    title = "kind of object"
    parameter_name = "object_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The models that people change."""
        return [
            (model._meta.label_lower, str(model._meta.verbose_name))
            for model in apps.get_models()
            if model._meta.app_label in OURS
            and model in model_admin.admin_site._registry
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The entries about such objects."""
        return queryset.filter(object_type=self.value()) if self.value() else queryset


class AuditEntryAdmin(ReadOnlyAdmin):
    """Entries, newest first, that one may see; read only for everybody."""

    list_display = ("moment", "who", "what", "target", "summary")
    list_display_links = ("moment",)
    list_select_related = ("user", "api_key")
    list_filter = (TypeFilter,)
    search_fields = ("=object_id", "object_name", "action", "=user__email")
    search_help_text = (
        "An object's id or name, an action (run.start), or a person's address."
    )
    date_hierarchy = "at"
    sortable_by = ("moment",)
    fields = (
        "at", "who", "what", "action", "target", "object_type", "object_id", "detail",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        """One's own acts, and what was done to one's teams' objects."""
        rows: QuerySet[AuditEntry] = super().get_queryset(request)
        if not isinstance(request.user, User):
            return rows.none()
        return rows.filter(seen_entries(request.user))

    moment = when("at", "at", sortable=True)

    @admin.display(description="who")
    def who(self, entry: AuditEntry) -> str:
        """The person, the key they used, or the system."""
        if entry.api_key:
            return f"{entry.user} by key {entry.api_key}"
        return str(entry.user) if entry.user else "the system"

    @admin.display(description="what")
    def what(self, entry: AuditEntry) -> str:
        """The action in words."""
        return entry.in_words

    @admin.display(description="object")
    def target(self, entry: AuditEntry) -> str:
        """The object's name, as a link where it has a page."""
        name = entry.object_name or entry.object_id
        address = entry.object_type.replace(".", "_")
        try:
            page = reverse(f"admin:{address}_change", args=(entry.object_id,))
        except NoReverseMatch:
            return name
        return format_html('<a href="{}">{}</a>', page, name)

    @admin.display(description="changed")
    def summary(self, entry: AuditEntry) -> str:
        """The names of what changed."""
        return ", ".join(list(entry.changes)[:6])

    @admin.display(description="changes")
    def detail(self, entry: AuditEntry) -> str:
        """Everything that is kept of the change."""
        return block(pretty(entry.changes)) if entry.changes else "–"  # noqa: RUF001
