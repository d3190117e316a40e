"""What the pages of steps, attempts and log lines have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import short_id
from runs.redaction import clean, redactor_for

# Encrypted columns of a run: no list decrypts them.
SEALED = ("body", "headers", "query", "variables", "output")
_PREFIX = re.compile(r"[0-9a-f]{8,32}\Z")


def run_link(run_id: object, text: object = None) -> str:
    """A link to a run's page, known by its id alone."""
    if run_id is None:
        return "–"  # noqa: RUF001 - a dash for "nothing"
    page = reverse("admin:runs_run_change", args=(run_id,))
    return format_html(
        '<a href="{}"><code>{}</code></a>', page, text or short_id(run_id)
    )


def id_rule(term: str, field: str = "id") -> Q | None:
    """The rule for a UUID, or its first 8 digits or more; None for another text."""
    digits = term.strip().lower().replace("-", "")
    if not _PREFIX.match(digits):
        return None
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    return Q(**{f"{field}__gte": low, f"{field}__lte": high})


class HistoryAdmin(ReadOnlyAdmin):
    """Rows that belong to a run, newest first, seen by the workflow's team."""

    team_path = "run__workflow__team"
    ordering = ("-id",)
    search_fields = ("run",)
    sortable_by = ()
    text_fields: ClassVar[Sequence[str]] = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows of the run with this id, else rows whose own words are the term."""
        del request
        term = search_term.strip()
        if not term:
            return queryset, False
        rule = id_rule(term, "run_id")
        if rule is None:
            rule = Q(pk__in=())
            for field in self.text_fields:
                rule |= Q(**{field: term})
        return queryset.filter(rule), False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row of a page, without the values of secrets that its run may use.

        Its `redactor` is for what the page shows besides.
        """
        row = super().get_object(request, object_id, from_field)
        if row is None:
            return None
        row.redactor = redactor_for(row.run)
        return clean(row, row.redactor)

    @admin.display(description="run")
    def run_page(self, row: Any) -> str:
        """A link to the run."""
        return run_link(row.run_id)
