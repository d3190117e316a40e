"""The page that rotates a trigger's secret, and what is told about the secrets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from automate.accounts.admin.base import AuditedAdmin
from automate.accounts.admin.html import page_of
from automate.lib.encryption import Unreadable
from workflows import services
from workflows.admin.fields import WriteOnlyField
from workflows.admin.triggers import show_once
from workflows.models import Trigger
from workflows.triggers.base import all_kinds

if TYPE_CHECKING:
    _Base = AuditedAdmin
else:
    _Base = object

KEPT = (
    (0, "not at all: senders with the old one are turned away at once"),
    (1, "for an hour"),
    (24, "for a day"),
    (7 * 24, "for a week"),
    (30 * 24, "for 30 days"),
)
NOT_USED = "not used yet"


class RotateForm(forms.Form):
    """The new secret, and for how long the one before still counts."""

    new_secret = WriteOnlyField(
        label="New secret", help_text="Empty: one is made, and shown once."
    )
    hours = forms.TypedChoiceField(
        label="The one before counts", choices=KEPT, coerce=int, initial=24
    )


class RotatePages(_Base):
    """The page of a trigger that gives it another secret, or ends the one before."""

    change_form_template = "admin/workflows/trigger/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the page."""
        view = self.admin_site.admin_view(self.rotate_view)
        name = "workflows_trigger_rotate"
        return [path("<uuid:pk>/rotate/", view, name=name), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the button, for those who may press it."""
        trigger = context.get("original")
        context["may_rotate"] = (
            trigger is not None
            and self.has_change_permission(request, trigger)
            and may_rotate(trigger)
        )
        return super().render_change_form(request, context, *args, **kwargs)

    def rotate_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask first; then rotate, or end the previous secret."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        trigger: Trigger | None = self.get_queryset(request).filter(pk=pk).first()
        if trigger is None or not may_rotate(trigger):
            raise Http404("No such trigger with a secret.")
        form = RotateForm(request.POST if request.method == "POST" else None)
        if "end_previous" in request.POST:
            self._end_previous(request, trigger)
            return HttpResponseRedirect(page_of(trigger))
        if form.is_valid() and self._rotate(request, trigger, form):
            return HttpResponseRedirect(page_of(trigger))
        context = {
            **self.admin_site.each_context(request),
            "title": "Rotate the signing secret",
            "subtitle": None,
            "opts": self.opts,
            "trigger": trigger,
            "form": form,
            "secrets": secrets_in_use(trigger),
            "has_previous": has_previous(trigger),
        }
        return TemplateResponse(request, "admin/workflows/trigger/rotate.html", context)

    def _rotate(self, request: HttpRequest, trigger: Trigger, form: RotateForm) -> bool:
        by: Any = request.user
        given = form.cleaned_data["new_secret"] or None
        kept = timedelta(hours=form.cleaned_data["hours"])
        try:
            new = services.rotate_trigger_secret(trigger, by, kept, given)
        except services.StateRefused as error:
            form.add_error("new_secret", str(error))
            return False
        except services.DocumentError as error:
            form.add_error("new_secret", f"The secret {error.problems[0].message}.")
            return False
        if given is None:
            show_once(request, trigger, new)
        else:
            self.message_user(request, f"{trigger} has another secret.")
        return True

    def _end_previous(self, request: HttpRequest, trigger: Trigger) -> None:
        by: Any = request.user
        if services.end_previous_secret(trigger, by):
            note = f"{trigger}: only the current secret counts now."
            self.message_user(request, note, messages.SUCCESS)


def may_rotate(trigger: Trigger) -> bool:
    """Whether its sender proves who it is by a secret."""
    kind = all_kinds().get(trigger.kind)
    return kind is not None and kind.needs_secret(trigger.config)


def has_previous(trigger: Trigger) -> bool:
    """Whether a secret besides the current one counts."""
    expires = trigger.previous_secret_expires_at
    return expires is not None and expires > timezone.now()


def secrets_in_use(trigger: Trigger) -> SafeString:
    """The secrets that count, each with when it was last used."""
    if trigger.secret is None:
        return format_html('<ul class="moments"><li>{}</li></ul>', "not set yet")
    state = f"{trigger.secret}; " if isinstance(trigger.secret, Unreadable) else ""
    since = trigger.secret_set_at
    set_at = f"set {_time(since)}; " if since else ""
    lines = [("current", f"{state}{set_at}{_used(trigger.secret_used_at, NOT_USED)}")]
    if has_previous(trigger):
        used = _used(trigger.previous_secret_used_at, "not used since it was replaced")
        until = _time(trigger.previous_secret_expires_at)
        lines.append(("previous", f"counts until {until}; {used}"))
    rows = [format_html("<li><b>{}</b>: {}</li>", *line) for line in lines]
    return format_html('<ul class="moments">{}</ul>', SafeString("".join(rows)))


def _used(moment: datetime | None, never: str) -> str:
    return f"last used {_time(moment)}, to within 5 minutes" if moment else never


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""
