"""Decisions: what is open, oldest first, and how it was answered."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from automate.accounts.admin.html import block, link, page_of, pretty, when
from runs.admin.history import SEALED, HistoryAdmin
from runs.admin.run_waits import SEALED_ANSWER
from runs.models import WaitToken
from runs.services.open_waits import open_waits, shown_details

APPROVALS, WEBHOOKS, ANSWERED = "approvals", "webhooks", "answered"
ASKED = (WaitToken.Kind.APPROVAL, WaitToken.Kind.UNKNOWN)  # what a person decides


class WaitFilter(admin.SimpleListFilter):
    """What is open: approvals, unless other waits or the answered ones are chosen."""

    title = "waiting for"
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Two kinds that are open, and those that are answered."""
        return [
            (APPROVALS, "a decision"), (WEBHOOKS, "a webhook"), (ANSWERED, "answered"),
        ]  # fmt: skip

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Without "All": approvals are shown when nothing is chosen."""
        chosen = self.value() or APPROVALS
        for value, label in self.lookup_choices:
            yield {
                "selected": value == chosen,
                "query_string": changelist.get_query_string(
                    {self.parameter_name: value}
                ),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The chosen ones."""
        value = self.value()
        if value == ANSWERED:
            return queryset.exclude(decision="")
        kinds = ["webhook"] if value == WEBHOOKS else ASKED
        return open_waits(queryset).filter(kind__in=kinds)


class WaitTokenAdmin(HistoryAdmin):
    """What waits for somebody; the run's page is where it is answered."""

    list_display = (
        "question", "workflow", "run_page", "step", "asked", "until", "decision",
    )  # fmt: skip
    list_display_links = ("asked",)
    list_select_related = ("run__workflow",)
    list_filter = (WaitFilter,)
    ordering = ("id",)
    text_fields = ("node_id",)
    search_help_text = "A run's id (8 digits or more of it), or a step's id."
    fields = (
        "asks", "details_shown", "run_page", "workflow", "node_id", "kind", "asked",
        "until", "decision", "answered_at", "answered_by", "comment", "source_ip",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[WaitToken]:
        """Without what a list never shows and would have to decrypt."""
        rows = super().get_queryset(request)
        return rows.defer(*SEALED_ANSWER, *(f"run__{name}" for name in SEALED))

    asked = when("created_at", "asked")
    until = when("expires_at", "open until")

    @admin.display(description="question")
    def asks(self, token: WaitToken) -> str:
        """The beginning of what is asked."""
        text = str(shown_details(token).get("message") or "")
        return text[:200] or f"{token.kind} at {token.node_id}"

    @admin.display(description="question")
    def question(self, token: WaitToken) -> str:
        """The same as a link to where it is answered."""
        page = f"{page_of(token.run)}#step-{token.node_id}"
        return format_html('<a href="{}">{}</a>', page, self.asks(token))

    @admin.display(description="step")
    def step(self, token: WaitToken) -> str:
        """The id of the step that asks."""
        return token.node_id

    @admin.display(description="details")
    def details_shown(self, token: WaitToken) -> str:
        """The data below the question, redacted when they were stored."""
        details = shown_details(token).get("details")
        return block(details if isinstance(details, str) else pretty(details))

    @admin.display(description="workflow")
    def workflow(self, token: WaitToken) -> str:
        """A link to the workflow."""
        return link(token.run.workflow)
