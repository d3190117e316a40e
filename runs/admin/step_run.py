"""Step runs: one step of one run."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from automate.accounts.admin.html import (
    NOTHING,
    block,
    duration,
    link,
    list_link,
    pill,
    pretty,
    when,
)
from automate.lib.payloads import opened
from automate.lib.redaction import Redactor
from runs.admin.history import SEALED, HistoryAdmin
from runs.admin.outputs import shown
from runs.models import DeliveryAttempt, StepRun
from runs.states import StepStatus


class WaitFilter(admin.SimpleListFilter):
    """By what a step waits for; the choices are known without a look at the table."""

    title = "waiting for"
    parameter_name = "waiting_for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """A retry, a moment, an answer, child runs, a permit."""
        return [
            ("retry", "a retry"), ("time", "a moment"), ("signal", "an answer"),
            ("children", "child runs"), ("permit", "a permit"),
        ]  # fmt: skip

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The steps that wait for this."""
        if not self.value():
            return queryset
        return queryset.filter(status=StepStatus.WAITING, waiting_for=self.value())


class StepRunAdmin(HistoryAdmin):
    """Steps with their times, attempts, errors, and what they gave, redacted."""

    list_display = (
        "node_id", "pill", "workflow", "run_page", "kind", "attempt", "begun",
        "took", "error_class",
    )  # fmt: skip
    list_select_related = ("run__workflow",)
    list_filter = ("status", WaitFilter, "exhausted", "interrupted")
    text_fields = ("node_id",)
    search_help_text = "A run's id (8 digits or more of it), or a step's id."
    fields = (
        "run_page", "workflow", "node_id", "kind", "pill", "attempt", "attempts_made",
        "waiting_for", "due_at", "port", "started_at", "finished_at", "took",
        "idempotency_key", "error_class", "error_message", "interrupted", "exhausted",
        "what_went_in", "what_it_gave",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[StepRun]:
        """Without what a list never shows and would have to decrypt."""
        rows = super().get_queryset(request)
        return rows.defer("output", *(f"run__{name}" for name in SEALED))

    begun = when("started_at", "started")

    @admin.display(description="status")
    def pill(self, step: StepRun) -> str:
        """The status as a pill."""
        return pill(step.status)

    @admin.display(description="workflow")
    def workflow(self, step: StepRun) -> str:
        """A link to the workflow."""
        return link(step.run.workflow)

    @admin.display(description="took")
    def took(self, step: StepRun) -> str:
        """From start to end, or until now."""
        return duration(step.started_at, step.finished_at)

    @admin.display(description="attempts")
    def attempts_made(self, step: StepRun) -> str:
        """A link to the requests of this step."""
        return list_link(DeliveryAttempt, "requests sent", step_run__id__exact=step.pk)

    @admin.display(description="input")
    def what_went_in(self, step: StepRun) -> str:
        """The rendered config, redacted when it was stored."""
        return block(pretty(step.input)) if step.input is not None else NOTHING

    @admin.display(description="output")
    def what_it_gave(self, step: StepRun) -> str:
        """The output as it may be read, also from the payload store."""
        redactor: Redactor = step.redactor  # type: ignore[attr-defined]
        found = shown(opened(step.output), redactor)
        if found is None:
            return NOTHING
        note = format_html('<p class="meta">{}</p>', found.note) if found.note else ""
        return format_html("{}{}", block(found.text) if found.text else "", note)
