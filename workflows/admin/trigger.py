"""Triggers: what starts workflows, as a list and page by page."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from automate.accounts.admin.base import AuditedAdmin, RelatedFilter
from automate.accounts.admin.html import NOTHING, breakable, code, link, pill
from workflows import services
from workflows.admin.firings import latest_firings
from workflows.admin.links import events_of, runs_of
from workflows.admin.over_limit import lately_over_limit
from workflows.admin.rotate import RotatePages, may_rotate, secrets_in_use
from workflows.admin.signing_help import how_to_sign
from workflows.admin.trigger_form import TriggerForm
from workflows.admin.trigger_kinds import KindFilter, kind_name
from workflows.admin.triggers import save_trigger
from workflows.admin.upcoming import next_fire, next_fires
from workflows.models import Trigger
from workflows.services.by_hand import remember
from workflows.triggers.schemes import SCHEMES

if TYPE_CHECKING:
    _StackedInline = admin.StackedInline[Any, Any]
    _Base = AuditedAdmin
else:
    _StackedInline = admin.StackedInline
    _Base = object


class TriggerColumns:
    """What lists and forms show of a trigger besides its fields."""

    @admin.display(description="address")
    def address(self, trigger: Trigger) -> str:
        """The whole address that events are posted to."""
        if trigger._state.adding:
            return "It is shown here after saving."
        url = services.trigger_url(trigger)
        return code(breakable(url)) if url else NOTHING

    @admin.display(description="next")
    def upcoming(self, trigger: Trigger) -> str:
        """The next five moments of one that goes by the clock."""
        if trigger._state.adding:
            return "They are shown here after saving."
        return next_fires(trigger)

    @admin.display(description="how to sign")
    def signing(self, trigger: Trigger) -> str:
        """Lines for a shell that post a signed event."""
        return how_to_sign(trigger)

    @admin.display(description="over the limit")
    def over_limit(self, trigger: Trigger) -> str:
        """How many events its rate limit has turned away lately."""
        return lately_over_limit(trigger)

    @admin.display(description="signing secrets")
    def secrets(self, trigger: Trigger) -> str:
        """Which secrets count, and whether senders use them."""
        return secrets_in_use(trigger)

    @admin.display(description="latest firings")
    def fired(self, trigger: Trigger) -> str:
        """When it fired lately, and the runs that this started."""
        return latest_firings(trigger)


class TriggerInline(TriggerColumns, _StackedInline):
    """The triggers on a workflow's page."""

    model = Trigger
    form = TriggerForm
    extra = 0
    fields = (
        ("kind", "is_active"), "scheme", "path", "address", "events", "rate_limit",
        ("new_secret", "generate"), ("cron", "timezone", "catch_up"), "upcoming",
        "more",
    )  # fmt: skip
    readonly_fields = ("address", "upcoming")
    show_change_link = True

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        """A new workflow starts with the form of one webhook."""
        return 0 if obj else 1

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trigger]:
        """In the order in which they were made, which is the draft's order."""
        return super().get_queryset(request).order_by("id")


class TriggerAdmin(TriggerColumns, RotatePages, AuditedAdmin):
    """All triggers; new ones are made on their workflow's page."""

    form = TriggerForm
    team_path = "workflow__team"
    list_display = (
        "name", "workflow_link", "starts", "state", "scheme", "address", "next_fire",
        "runs", "turned_away",
    )  # fmt: skip
    list_select_related = ("workflow",)
    list_filter = (KindFilter, "is_active", ("workflow", RelatedFilter))
    search_fields = ("path", "=key", "workflow__name", "workflow__slug")
    ordering = ("workflow__name", "id")
    fields = (
        "workflow_link", "kind", "is_active", "scheme", "path", "address", "events",
        "rate_limit", "over_limit", "secrets", "new_secret", "generate",
        ("cron", "timezone", "catch_up"), "upcoming", "fired", "more", "runs",
        "turned_away", "signing",
    )  # fmt: skip
    readonly_fields = (
        "workflow_link", "address", "over_limit", "secrets", "upcoming", "fired",
        "runs", "turned_away", "signing",
    )  # fmt: skip
    actions = ("switch_on", "switch_off")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without what this trigger has not: a clock, a limit, a signature."""
        gone = set()
        if obj is not None and "cron" not in obj.config:
            gone.add("fired")
        if obj is not None and "rate_limit" not in obj.config:
            gone.add("over_limit")
        if obj is not None and how_to_sign(obj) == NOTHING:
            gone.add("signing")
        if obj is not None and not may_rotate(obj):
            gone.add("secrets")
        return [field for field in self.fields if field not in gone]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A trigger belongs to a workflow, on whose page it is made."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A trigger is deleted on its workflow's page."""
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: Trigger,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        """Save row and secret, and let the workflow's draft follow."""
        save_trigger(request, form, obj)
        by: Any = request.user
        remember(obj.workflow, by)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """`save_trigger` has kept it already."""

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        """Take events again."""
        self._switch(request, queryset, active=True)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        """Refuse events until it is switched on."""
        self._switch(request, queryset, active=False)

    def _switch(
        self, request: HttpRequest, queryset: QuerySet[Trigger], *, active: bool
    ) -> None:
        by: Any = request.user
        count = sum(
            services.set_trigger_active(trigger, active=active, by=by)
            for trigger in queryset.select_related("workflow")[:500]
        )
        word = "on" if active else "off"
        self.message_user(
            request, f"{count} trigger(s) switched {word}.", messages.SUCCESS
        )

    @admin.display(description="trigger")
    def name(self, trigger: Trigger) -> str:
        """Its path, its times, or its kind."""
        return trigger.path or trigger.config.get("cron") or kind_name(trigger.kind)

    @admin.display(description="kind", ordering="kind")
    def starts(self, trigger: Trigger) -> str:
        """What starts the workflow."""
        return kind_name(trigger.kind)

    @admin.display(description="fires next", ordering="next_fire_at")
    def next_fire(self, trigger: Trigger) -> str:
        """When one that goes by the clock fires next."""
        return next_fire(trigger)

    @admin.display(description="workflow", ordering="workflow__name")
    def workflow_link(self, trigger: Trigger) -> str:
        """A link to the workflow."""
        return link(trigger.workflow)

    @admin.display(description="state", ordering="is_active")
    def state(self, trigger: Trigger) -> str:
        """Whether it takes events."""
        if trigger.is_active:
            return pill("succeeded", "active")
        return pill("cancelled", "off")

    @admin.display(description="scheme")
    def scheme(self, trigger: Trigger) -> str:
        """How senders prove who they are."""
        scheme = SCHEMES.get(trigger.config.get("scheme", ""))
        return scheme.label if scheme else NOTHING

    @admin.display(description="runs")
    def runs(self, trigger: Trigger) -> str:
        """A link to the runs it started."""
        return runs_of("trigger", trigger)

    @admin.display(description="turned away")
    def turned_away(self, trigger: Trigger) -> str:
        """A link to the events that did not become runs."""
        return events_of(trigger, "events")
