"""Runs: the list, and the page that tells everything about one."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join

from automate.accounts.admin.base import RelatedFilter
from automate.accounts.admin.html import (
    NOTHING,
    duration,
    link,
    list_link,
    pill,
    short_id,
    when,
)
from automate.accounts.admin.page import PageAdmin
from runs.addresses import events_url
from runs.admin.campaign_start import CampaignStart
from runs.admin.history import SEALED, id_rule, run_link
from runs.admin.run_advice import advice_on
from runs.admin.run_answers import RunAnswers
from runs.admin.run_filters import (
    FingerprintFilter,
    ParentFilter,
    ParentStepFilter,
    RedrivenFilter,
    StatusFilter,
)
from runs.admin.run_hint import hint_on
from runs.admin.run_live import RunLive
from runs.admin.run_page import build
from runs.admin.run_redrive import RunRedrive
from runs.admin.run_start import RunStart
from runs.admin.run_verbs import RunVerbs
from runs.admin.run_why import RunWhy
from runs.admin.try_step import TryStep
from runs.models import Run
from runs.services.explain import repeats_of
from runs.states import RunStatus
from workflows.models import Workflow


class RunAdmin(
    RunAnswers,
    RunRedrive,
    CampaignStart,
    TryStep,
    RunWhy,
    RunLive,
    RunVerbs,
    RunStart,
    PageAdmin,
):
    """Runs, newest first; read only but for the verbs."""

    page_template = "admin/runs/run/page.html"
    team_path = "workflow__team"
    list_display = (
        "short", "pill", "workflow_link", "version_link", "arrived", "took", "error",
        "related",
    )  # fmt: skip
    list_select_related = ("workflow", "version")
    list_filter = (
        FingerprintFilter, ParentFilter, ParentStepFilter, StatusFilter, RedrivenFilter,
        ("workflow", RelatedFilter),
    )  # fmt: skip
    date_hierarchy = "created_at"
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("id", "event_id", "workflow")
    search_help_text = (
        "A run's id (8 digits or more of it), the sender's event id, a workflow's "
        "slug, or an error's fingerprint."
    )
    actions = ("redrive_from_start", "redrive_from_failed", "cancel_runs")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Runs with their shown status, without what would have to be decrypted."""
        rows: Any = super().get_queryset(request)
        again = Run.objects.filter(replay_of=OuterRef("pk")).order_by("-pk")
        newest = Subquery(again.values("pk")[:1])
        found = rows.with_waiting().annotate(redriven_as=newest)
        return found.defer(*SEALED)  # type: ignore[no-any-return]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        """Runs by what an index knows: id, event id, workflow, fingerprint."""
        term = search_term.strip()
        if not term:
            return queryset, False
        slugs = Workflow.objects.filter(slug=term).values_list("pk", flat=True)
        rule = Q(event_id=term) | Q(error_fingerprint=term)
        rule |= Q(workflow__in=list(slugs))
        by_id = id_rule(term)
        return queryset.filter(by_id | rule if by_id else rule), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; when the search finds nothing, what is meant perhaps."""
        response = super().changelist_view(request, extra_context)
        shown: Any = getattr(response, "context_data", None) or {}
        found = shown.get("cl")
        if found is not None and found.query and not found.result_count:
            shown["hint"] = hint_on(found.query, request.user)
        return response

    def page_context(self, request: HttpRequest, row: Run) -> dict[str, Any]:
        """Everything about one run, and what this person may do with it."""
        final = row.is_final
        broken = row.status in (RunStatus.FAILED, RunStatus.DEAD_LETTER)
        return {
            "run": row,
            "page": build(row, request.user),
            "repeats": repeats_of(row),
            "events_url": "" if final else events_url(row.pk),
            "advice": advice_on(row, self.get_queryset(request)) if broken else None,
            "may_redrive": final and self.has_redrive_permission(request),
            "may_redrive_failed": broken and self.has_redrive_permission(request),
            "may_cancel": not final and self.has_cancel_permission(request),
            "may_read_payload": self.has_payload_permission(request),
        }

    def page_rows(self, request: HttpRequest) -> QuerySet[Run]:
        """Runs with everything that their pages show."""
        rows = self.get_queryset(request).defer(None)
        return rows.select_related(
            "workflow__team", "workflow__published", "version", "trigger", "job"
        )

    arrived = when("created_at", "arrived")

    @admin.display(description="run")
    def short(self, run: Run) -> str:
        """The tail of the id; the whole of it on hovering."""
        return format_html('<code title="{}">{}</code>', run.pk, short_id(run.pk))

    @admin.display(description="status")
    def pill(self, run: Run) -> str:
        """The shown status as a pill."""
        return pill(run.shown_status)

    @admin.display(description="workflow")
    def workflow_link(self, run: Run) -> str:
        """A link to the workflow."""
        return link(run.workflow)

    @admin.display(description="version")
    def version_link(self, run: Run) -> str:
        """A link to the version that it runs."""
        return link(run.version, run.version.number)

    @admin.display(description="took")
    def took(self, run: Run) -> str:
        """From its start to its end, or until now."""
        return duration(run.started_at, run.finished_at)

    @admin.display(description="error")
    def error(self, run: Run) -> str:
        """The first words of the error; a link to the runs that failed alike."""
        text = run.error_message or run.error_class
        text = (text if len(text) <= 80 else f"{text[:79]}…") or NOTHING
        if not run.error_fingerprint:
            return text
        return list_link(Run, text, error_fingerprint=run.error_fingerprint)

    @admin.display(description="related")
    def related(self, run: Run) -> str:
        """What it is a redrive of, as what it was redriven, and whose child it is."""
        again = getattr(run, "redriven_as", None)
        item = "" if run.item_index is None else f"item {run.item_index} of "
        known = (
            ("redriven as ", again),
            ("redrive of ", run.replay_of_id),
            (item or "child of ", run.parent_id),
        )
        words = [(word, run_link(pk)) for word, pk in known if pk is not None]
        return format_html_join(", ", "{}{}", words) or NOTHING
