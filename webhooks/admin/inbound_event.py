"""Inbound events: what arrived, did not become a run, and why."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import NOTHING, link, pill, when
from automate.accounts.models import User
from automate.accounts.visibility import visible_to
from runs.admin.history import id_rule, run_link
from webhooks.explain import explain_event
from webhooks.models import InboundEvent

QUIET = (InboundEvent.Reason.DUPLICATE, InboundEvent.Reason.FILTERED)


class InboundEventAdmin(ReadOnlyAdmin):
    """Events, newest first; strangers are counted by the minute."""

    list_display = (
        "arrived", "reason_pill", "status", "trigger_link", "workflow", "known_as",
        "count", "source_ip", "first_run",
    )  # fmt: skip
    list_display_links = ("arrived",)
    list_select_related = ("trigger__workflow",)
    list_filter = ("reason",)
    search_fields = ("event_id",)
    search_help_text = "The sender's event id, or the id of the run it had become."
    date_hierarchy = "at"
    ordering = ("-id",)
    sortable_by = ()
    fields = (
        "at", "reason_pill", "gate", "status", "detail", "trigger_link",
        "workflow", "known_as", "first_run", "source_ip", "size", "count", "minute",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundEvent]:
        """Events at one's teams' triggers; events at no trigger for superusers only."""
        rows = super().get_queryset(request)
        user = request.user
        if not isinstance(user, User) or user.is_superuser:
            return rows
        mine = visible_to(user, "trigger__workflow__")
        return rows.filter(mine, trigger__isnull=False)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> HttpResponse:
        """The event's page, with what each gate decided."""
        event = kwargs.get("obj")
        if isinstance(event, InboundEvent):
            context["explanation"] = explain_event(event)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[InboundEvent], search_term: str
    ) -> tuple[QuerySet[InboundEvent], bool]:
        """Events by their exact id, or by the run they had become."""
        del request
        term = search_term.strip()
        if not term:
            return queryset, False
        rule = Q(event_id=term)
        by_run = id_rule(term, "first_run_id")
        return queryset.filter(by_run | rule if by_run else rule), False

    arrived = when("at", "arrived")

    @admin.display(description="why")
    def reason_pill(self, event: InboundEvent) -> str:
        """The reason; duplicates and filtered events are nothing to worry about."""
        kind = "queued" if event.reason in QUIET else "failed"
        return pill(kind, event.get_reason_display())

    @admin.display(description="trigger")
    def trigger_link(self, event: InboundEvent) -> str:
        """A link to the trigger, when there is one."""
        trigger = event.trigger
        return link(trigger, trigger.path or trigger.kind) if trigger else NOTHING

    @admin.display(description="workflow")
    def workflow(self, event: InboundEvent) -> str:
        """A link to the trigger's workflow."""
        return link(event.trigger.workflow) if event.trigger else NOTHING

    @admin.display(description="event id")
    def known_as(self, event: InboundEvent) -> str:
        """The sender's id of the event; a dash for many that are counted together."""
        return event.known_as or NOTHING

    @admin.display(description="first run")
    def first_run(self, event: InboundEvent) -> str:
        """A link to the run that the same event became before."""
        return run_link(event.first_run_id)
