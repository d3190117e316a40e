"""Campaigns: how far each is, why it stopped, and the buttons that steer it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import (
    Count,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from automate.accounts.admin.html import page_of, pill, short_id, when
from automate.accounts.admin.page import PageAdmin
from automate.accounts.admin.scope import visible
from automate.accounts.models import User
from runs.admin.campaign_filter import in_words
from runs.admin.campaign_run import SEALED_ITEM
from runs.admin.progress import bar_of
from runs.models import Campaign, CampaignRun
from runs.services import campaigns

COLOURS = {
    "running": "running", "paused": "waiting", "stopped": "failed",
    "finished": "succeeded",
}  # fmt: skip
VERBS = {
    "pause": (campaigns.pause, "paused"),
    "resume": (campaigns.resume, "resumed"),
    "stop": (campaigns.stop, "stopped"),
}
BUTTONS = {
    "running": ("pause", "stop"),
    "paused": ("resume", "stop"),
    "stopped": ("resume",),
}
SHOWN = 50  # of its runs on its page


class CampaignAdmin(PageAdmin):
    """Campaigns, newest first; seen by who began them or may see all of their runs."""

    page_template = "admin/runs/campaign/page.html"
    list_display = (
        "short", "state", "left", "what", "begin", "pace", "author", "begun",
        "why",
    )  # fmt: skip
    list_select_related = ("created_by",)
    list_filter = ("status",)
    search_fields = ("reason",)
    ordering = ("-id",)
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        """Those that this person may see, with how many runs each has left."""
        rows: QuerySet[Campaign] = super().get_queryset(request)
        user = request.user
        if isinstance(user, User) and not user.is_superuser:
            rows = rows.filter(pk__in=campaigns.seen_by(user).order_by().values("pk"))
        return rows.annotate(open_runs=_open())

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        """Whether this person may redrive runs, and so steer campaigns."""
        return request.user.has_perm("runs.redrive_run")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may redrive runs sees what becomes of them."""
        return super().has_view_permission(request, obj) or self.has_redrive_permission(
            request
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        """The same for the overview."""
        return super().has_module_permission(request) or self.has_redrive_permission(
            request
        )

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the buttons."""
        view = self.admin_site.admin_view(self.steer_view)
        name = "runs_campaign_steer"
        return [
            path("<uuid:pk>/steer/<slug:verb>/", view, name=name),
            *super().get_urls(),
        ]

    def page_rows(self, request: HttpRequest) -> QuerySet[Campaign]:
        """Campaigns with who began them."""
        return self.get_queryset(request).select_related("created_by")

    def page_context(self, request: HttpRequest, row: Campaign) -> dict[str, Any]:
        """How far it is, the last runs that it has come to, and its buttons."""
        done = campaigns.progress(row)
        items = visible(
            CampaignRun.objects.filter(campaign=row),
            request.user,
            "run__workflow__team",
        )
        handled = items.exclude(fresh=None, refused="").select_related("run", "fresh")
        may = self.has_redrive_permission(request)
        return {
            "campaign": row,
            "pill": self.state(row),
            "done": done,
            "bar": bar_of(done),
            "words": in_words(row.filter),
            "begin": self.begin(row),
            "max_failed": f"{row.max_failed:.0%}",
            "items": handled.defer(*SEALED_ITEM).order_by("-pk")[:SHOWN],
            "verbs": BUTTONS.get(row.status, ()) if may else (),
        }

    @method_decorator(require_POST)
    @method_decorator(csrf_protect)
    def steer_view(self, request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
        """Pause, resume or stop a campaign, and show it."""
        if not self.has_redrive_permission(request):
            raise PermissionDenied
        if verb not in VERBS:
            raise Http404("No such verb.")
        campaign: Campaign = self.page_row(request, pk)
        work, word = VERBS[verb]
        by: Any = request.user
        if work(campaign, by=by):
            self.message_user(request, f"The campaign is {word}.", messages.SUCCESS)
        else:
            note = f"The campaign is {campaign.status}: it cannot be {word}."
            self.message_user(request, note, messages.WARNING)
        return HttpResponseRedirect(page_of(campaign))

    begun = when("created_at", "began")

    @admin.display(description="campaign")
    def short(self, campaign: Campaign) -> str:
        """The tail of the id; the whole of it on hovering."""
        return format_html(
            '<code title="{}">{}</code>', campaign.pk, short_id(campaign.pk)
        )

    @admin.display(description="status")
    def state(self, campaign: Campaign) -> str:
        """The status as a pill."""
        return pill(COLOURS.get(campaign.status, ""), campaign.status)

    @admin.display(description="come to")
    def left(self, campaign: Campaign) -> str:
        """How many of its runs it has come to."""
        done = campaign.total - campaign.open_runs  # type: ignore[attr-defined]
        return f"{done:,} of {campaign.total:,}"

    @admin.display(description="runs")
    def what(self, campaign: Campaign) -> str:
        """Its filter in words."""
        return "; ".join(
            f"{name}: {value}" for name, value in in_words(campaign.filter)
        )

    @admin.display(description="from")
    def begin(self, campaign: Campaign) -> str:
        """Where each redrive begins, and on which version."""
        known = {"failed": "what failed", "start": "the start"}
        start = known.get(campaign.start, f"step {campaign.start}")
        return f"{start}, on the {campaign.version} version"

    @admin.display(description="rate")
    def pace(self, campaign: Campaign) -> str:
        """Redrives a second."""
        return f"{campaign.rate:g}/s"

    @admin.display(description="begun by")
    def author(self, campaign: Campaign) -> str:
        """Who began it."""
        return str(campaign.created_by or "the system")

    @admin.display(description="why it stopped")
    def why(self, campaign: Campaign) -> str:
        """The reason, when it stopped."""
        return campaign.reason or self.get_empty_value_display()


def _open() -> Any:
    """How many of a campaign's runs it has not come to; a partial index knows them."""
    left = CampaignRun.objects.filter(campaign=OuterRef("pk"), fresh=None, refused="")
    counted = left.order_by().values("campaign").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
