"""The breaker of a connection on its page and in the list, and closing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from automate.accounts.admin.html import NOTHING, page_of, pill
from workflows import services
from workflows.admin.owned import OwnedAdmin
from workflows.models import Breaker, Connection

if TYPE_CHECKING:
    _Base = OwnedAdmin
else:
    _Base = object


class BreakerPages(_Base):
    """What the admin of connections shows of breakers; closing needs a permission."""

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of "Close now"."""
        view = self.admin_site.admin_view(self.close_view)
        name = "workflows_connection_close_breaker"
        return [
            path("<uuid:pk>/close-breaker/", view, name=name),
            *super().get_urls(),
        ]

    @method_decorator(require_POST)
    @method_decorator(csrf_protect)
    def close_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Close the breaker, and show the connection."""
        if not may_close(request):
            raise PermissionDenied
        connection = self.get_queryset(request).filter(pk=pk).first()
        if connection is None:
            raise Http404("No such connection.")
        by: Any = request.user
        if services.close_breaker(connection, by=by):
            text = "The breaker is closed: steps that waited go on."
            self.message_user(request, text, messages.SUCCESS)
        else:
            self.message_user(request, "The breaker is closed already.")
        return HttpResponseRedirect(page_of(connection))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of a connection, above all what its breaker says."""
        row = self.get_queryset(request).filter(pk=_uuid(object_id)).first()
        context = {
            "breaker": breaker_of(row) if row is not None else None,
            "may_close": may_close(request),
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description="breaker", ordering="breaker__state")
    def breaker_state(self, connection: Connection) -> str:
        """Since when it is open, when the next probe may be made, and why."""
        row = breaker_of(connection)
        if row is None:
            return NOTHING
        return format_html("{} {}", pill("failed", row.state), in_words(row))


def may_close(request: HttpRequest) -> bool:
    """Whether this person may close breakers."""
    return request.user.has_perm("workflows.close_breaker")


def breaker_of(connection: Connection) -> Breaker | None:
    """The breaker when it is not closed."""
    row: Breaker | None = getattr(connection, "breaker", None)
    return None if row is None or row.is_closed else row


def in_words(row: Breaker) -> str:
    """The state in one line: `since 12:03:10 UTC, next probe 12:04:10 UTC`."""
    if row.opened_at is None or row.probe_at is None:
        return ""
    since = f"since {row.opened_at:%Y-%m-%d %H:%M:%S} UTC"
    if row.state == Breaker.State.PROBING:
        return f"{since}, a probe is under way"
    return f"{since}, next probe {row.probe_at:%H:%M:%S} UTC"


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
