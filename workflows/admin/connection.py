"""Connections: how to reach and sign in to another system."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from automate.accounts.admin.base import RelatedFilter
from automate.accounts.admin.html import NOTHING, page_of, pill, when
from automate.lib.encryption import Unreadable
from workflows.admin.breaker import BreakerPages
from workflows.admin.connection_form import ConnectionForm
from workflows.admin.owned import OwnedAdmin
from workflows.connections import kind_of
from workflows.models import Connection
from workflows.services.connection_check import check_connection
from workflows.services.out_of_reach import unreachable

CREDENTIALS = (
    "Which boxes there are depends on the kind, chosen above: a bearer token; a user "
    "and a password; a header and its value; an OAuth 2 client; a certificate and its "
    "key; an API key of n8n's."
)


class ConnectionAdmin(BreakerPages, OwnedAdmin):
    """Connections by name; who has which, and whether it works."""

    form = ConnectionForm
    unaudited = (
        "new_name", "new_value", "new_certificate", "new_private_key",
        "new_proxy_password",
    )  # fmt: skip
    list_display = (
        "name", "kind", "state", "breaker_state", "base_url", "team", "checked",
        "changed",
    )  # fmt: skip
    list_select_related = ("team", "breaker")
    list_filter = ("kind", "status", ("team", RelatedFilter))
    search_fields = ("name", "base_url")
    fieldsets = (
        (None, {"fields": ("name", "team", "kind", "base_url", "allowed_hosts")}),
        (
            "Credentials",
            {
                "description": CREDENTIALS,
                "fields": (
                    "new_name", "token_url", "client_id", "new_value", "scope",
                    "audience", "token_auth", "token_extra", "new_certificate",
                    "new_private_key", "credentials_state",
                )
            },
        ),
        (
            "The way there",
            {
                "classes": ("collapse",),
                "fields": ("proxy", "new_proxy_password", "authorities"),
            },
        ),
        (
            "State",
            {
                "fields": (
                    "rate_limit", "status", "why", "last_check", "last_checked_at",
                    "updated_at",
                )
            },
        ),
    )  # fmt: skip
    readonly_fields = (
        "credentials_state", "why", "last_check", "last_checked_at", "updated_at",
    )  # fmt: skip
    change_form_template = "admin/workflows/connection/change_form.html"

    class Media:
        js = ("automate/connection.js",)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without a reason where there is none."""
        shown = super().get_fieldsets(request, obj)
        if obj is not None and obj.status_reason:
            return shown
        return [
            (title, {**rows, "fields": tuple(n for n in rows["fields"] if n != "why")})
            for title, rows in shown
        ]

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the button."""
        view = self.admin_site.admin_view(self.check_view)
        return [
            path("<uuid:pk>/check/", view, name="workflows_connection_check"),
            *super().get_urls(),
        ]

    def save_model(
        self,
        request: HttpRequest,
        obj: Connection,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Keep the credentials unless new ones were given."""
        kind = kind_of(obj.kind)
        if kind is not None:
            obj.options = form.options(kind)
            if not isinstance(obj.credentials, Unreadable) or form.given(kind):
                obj.credentials = form.credentials(kind)
        if obj.status == Connection.Status.ACTIVE:
            obj.status_reason = ""
        super().save_model(request, obj, form, change)
        for problem in unreachable(obj):
            where = "" if problem.path == "base_url" else f"{problem.path}: "
            note = f"Connection {obj}: {where}{problem.message}."
            self.message_user(request, note, messages.WARNING)

    @method_decorator(require_POST)
    @method_decorator(csrf_protect)
    def check_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask the other system now, and say what it answered."""
        row: Connection | None = self.get_queryset(request).filter(pk=pk).first()
        if row is None:
            raise Http404("No such connection.")
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        by: Any = request.user
        found = check_connection(row, by=by)
        level = messages.SUCCESS if found.ok else messages.ERROR
        self.message_user(request, f"Connection {row}: {found.message}", level)
        return HttpResponseRedirect(page_of(row))

    checked = when("last_checked_at", "last checked", sortable=True)
    changed = when("updated_at", "changed", sortable=True)

    @admin.display(description="status", ordering="status")
    def state(self, connection: Connection) -> str:
        """The status as a pill."""
        shown = {"active": "succeeded", "inactive": "cancelled", "error": "failed"}
        return pill(shown.get(connection.status, ""), connection.status)

    @admin.display(description="why")
    def why(self, connection: Connection) -> str:
        """Why it is not active, where a step has said so."""
        return connection.status_reason or NOTHING

    @admin.display(description="credentials")
    def credentials_state(self, connection: Connection) -> str:
        """Whether there are credentials, and whether they can be read."""
        if connection._state.adding:
            return "not set yet"
        if isinstance(connection.credentials, Unreadable):
            return str(connection.credentials)
        return "are set; they are never shown"
