"""Delivery attempts: the requests that steps sent, and the answers they got."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from automate.accounts.admin.html import (
    NOTHING,
    block,
    breakable,
    link,
    milliseconds,
    pill,
    pretty,
    pretty_text,
    when,
)
from runs.admin.history import SEALED, HistoryAdmin
from runs.models import DeliveryAttempt


class MethodFilter(admin.SimpleListFilter):
    """By method; the choices are known without a look at the table."""

    title = "method"
    parameter_name = "method"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The methods that steps send."""
        names = ("POST", "GET", "PUT", "PATCH", "DELETE", "SMTP")
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The requests with this method."""
        return queryset.filter(method=self.value()) if self.value() else queryset


class DeliveryAttemptAdmin(HistoryAdmin):
    """Requests, newest first: redacted and capped when they were recorded."""

    list_display = (
        "sent", "outcome_pill", "method", "url_shown", "answer", "number",
        "step", "run_page", "took",
    )  # fmt: skip
    list_display_links = ("sent",)
    list_select_related = ("step_run",)
    list_filter = ("outcome", MethodFilter)
    text_fields = ("url",)
    search_help_text = "A run's id (8 digits or more of it), or a whole URL."
    date_hierarchy = "started_at"
    fields = (
        "run_page", "step", "number", "verify", "outcome_pill", "started_at", "took",
        "next_due_at", "error_kind", "error_message", "method", "url",
        "sent_headers", "sent_body", "response_status", "got_headers", "got_body",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryAttempt]:
        """Without the exact output of the step, which stays sealed."""
        rows = super().get_queryset(request)
        return rows.defer(
            "step_run__output", "step_run__input", *(f"run__{name}" for name in SEALED)
        )

    sent = when("started_at", "sent")

    @admin.display(description="outcome")
    def outcome_pill(self, attempt: DeliveryAttempt) -> str:
        """What is known of the request's effect."""
        return pill(attempt.outcome)

    @admin.display(description="URL")
    def url_shown(self, attempt: DeliveryAttempt) -> str:
        """The URL, cut to what fits a list."""
        url = attempt.url
        return breakable(url if len(url) <= 80 else f"{url[:79]}…")

    @admin.display(description="answer")
    def answer(self, attempt: DeliveryAttempt) -> str:
        """The status of the answer, or why there was none."""
        return str(attempt.response_status or attempt.error_kind or NOTHING)

    @admin.display(description="step")
    def step(self, attempt: DeliveryAttempt) -> str:
        """A link to the step run."""
        return link(attempt.step_run, attempt.step_run.node_id)

    @admin.display(description="took")
    def took(self, attempt: DeliveryAttempt) -> str:
        """The time until the answer or the error."""
        return milliseconds(attempt.duration_ms)

    @admin.display(description="request headers")
    def sent_headers(self, attempt: DeliveryAttempt) -> str:
        """The headers that were sent."""
        return block(pretty(attempt.request_headers))

    @admin.display(description="request body")
    def sent_body(self, attempt: DeliveryAttempt) -> str:
        """The body that was sent; cut when it says so."""
        return block(body_text(attempt.request_body, cut=attempt.request_truncated))

    @admin.display(description="response headers")
    def got_headers(self, attempt: DeliveryAttempt) -> str:
        """The headers of the answer."""
        return block(pretty(attempt.response_headers))

    @admin.display(description="response body")
    def got_body(self, attempt: DeliveryAttempt) -> str:
        """The body of the answer, cut when it says so; or why there is none."""
        if attempt.response_status is None:
            return unanswered(attempt)
        return block(body_text(attempt.response_body, cut=attempt.response_truncated))


def unanswered(attempt: DeliveryAttempt) -> str:
    """Why a request has no answer."""
    never = attempt.outcome == "not_sent"
    why = "None: the request was never sent." if never else "No answer."
    return f"{why} {attempt.error_message}".strip()


def body_text(text: str, *, cut: bool) -> str:
    """A recorded body for reading, with a mark where it was cut."""
    return f"{text}\n… (cut here)" if cut else pretty_text(text)
