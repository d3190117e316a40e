"""Filters of the list of runs."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from runs.states import WAITING, RunStatus

UNFINISHED, BROKEN = "unfinished", "broken"


class StatusFilter(admin.SimpleListFilter):
    """By the status that people see: `waiting` is derived, so it is a filter here."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Two groups, then each status."""
        each = [RunStatus.QUEUED, RunStatus.RUNNING, WAITING, *tuple(RunStatus)[2:]]
        return [
            (UNFINISHED, "not finished"),
            (BROKEN, "failed or dead letter"),
            *((str(status), str(status).replace("_", " ")) for status in each),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The runs with the chosen status."""
        value = self.value()
        if value == WAITING:
            return queryset.waiting()
        if value == RunStatus.RUNNING:
            return queryset.filter(status=RunStatus.RUNNING, is_waiting=False)
        if value == UNFINISHED:
            return queryset.filter(status__in=(RunStatus.QUEUED, RunStatus.RUNNING))
        if value == BROKEN:
            return queryset.filter(status__in=(RunStatus.FAILED, RunStatus.DEAD_LETTER))
        return queryset.filter(status=value) if value else queryset
