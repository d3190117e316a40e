"""The runs of campaigns: what became of each."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import NOTHING, link, pill, short_id
from runs.admin.history import SEALED, run_link
from runs.models import CampaignRun
from runs.services.campaigns import REDRIVABLE
from runs.states import RunStatus

SEALED_ITEM = tuple(f"{end}__{name}" for end in ("run", "fresh") for name in SEALED)


class FateFilter(admin.SimpleListFilter):
    """By what became of the run."""

    title = "what became of it"
    parameter_name = "fate"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The parts of a campaign's bar."""
        names = ("succeeded", "failed", "running", "refused", "left")
        return [(name, "under way" if name == "running" else name) for name in names]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The runs with this fate."""
        rules: dict[str, dict[str, Any]] = {
            "succeeded": {"fresh__status": RunStatus.SUCCEEDED},
            "failed": {"fresh__status__in": REDRIVABLE},
            "running": {"fresh__isnull": False, "fresh__finished_at": None},
            "left": {"fresh": None, "refused": ""},
        }
        value = self.value()
        if value == "refused":
            return queryset.exclude(refused="")
        return queryset.filter(**rules[value]) if value in rules else queryset


class CampaignRunAdmin(ReadOnlyAdmin):
    """Each run of each campaign: its redrive, or why it was refused."""

    team_path = "run__workflow__team"
    list_display = ("run_page", "was", "fresh_page", "now", "refused", "campaign_page")
    list_display_links = None
    list_select_related = ("run", "fresh", "campaign")
    list_filter = (FateFilter,)
    ordering = ("-id",)
    sortable_by = ()
    fields = ("campaign_page", "run_page", "was", "fresh_page", "now", "refused")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CampaignRun]:
        """Without what would have to be decrypted."""
        return super().get_queryset(request).defer(*SEALED_ITEM)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As of campaigns."""
        return super().has_view_permission(request, obj) or request.user.has_perm(
            "runs.redrive_run"
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Lists of campaigns lead here, the overview does not."""
        return False

    @admin.display(description="run")
    def run_page(self, item: CampaignRun) -> str:
        """A link to the run that was to be redriven."""
        return run_link(item.run_id)

    @admin.display(description="was")
    def was(self, item: CampaignRun) -> str:
        """How it had ended."""
        return pill(item.run.status)

    @admin.display(description="redriven as")
    def fresh_page(self, item: CampaignRun) -> str:
        """A link to the new run."""
        return run_link(item.fresh_id)

    @admin.display(description="now")
    def now(self, item: CampaignRun) -> str:
        """How the new run is."""
        return pill(item.fresh.status) if item.fresh else NOTHING

    @admin.display(description="campaign")
    def campaign_page(self, item: CampaignRun) -> str:
        """A link to the campaign."""
        return format_html("{}", link(item.campaign, short_id(item.campaign_id)))
