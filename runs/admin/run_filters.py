"""Filters of the list of runs."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Exists, OuterRef
from django.http import HttpRequest

from runs.models import Run
from runs.services.unrepaired import unrepaired
from runs.states import WAITING, RunStatus

UNFINISHED, BROKEN, UNREPAIRED = "unfinished", "broken", "unrepaired"


class StatusFilter(admin.SimpleListFilter):
    """By the status that people see: `waiting` is derived, so it is a filter here."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Three groups, then each status."""
        each = [RunStatus.QUEUED, RunStatus.RUNNING, WAITING, *tuple(RunStatus)[2:]]
        return [
            (UNFINISHED, "not finished"),
            (BROKEN, "failed or dead letter"),
            (UNREPAIRED, "failed, not repaired yet"),
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
        if value == UNREPAIRED:
            return unrepaired(queryset)
        return queryset.filter(status=value) if value else queryset


class RedrivenFilter(admin.SimpleListFilter):
    """Whether somebody has redriven the run, as which other run."""

    title = "redriven"
    parameter_name = "redriven"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Yes or no."""
        return [("no", "not yet"), ("yes", "yes")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The runs that have a redrive, or those that have none."""
        if self.value() not in ("yes", "no"):
            return queryset
        known = Run.objects.filter(replay_of=OuterRef("pk"))
        rule = Exists(known)
        return queryset.filter(rule if self.value() == "yes" else ~rule)


class ReachedByLink(admin.SimpleListFilter):
    """A filter that a link sets; beside the list it is shown only while it is set."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The chosen value alone."""
        value = request.GET.get(str(self.parameter_name), "")
        return [(value, value if len(value) <= 40 else f"{value[:39]}…")]

    def has_output(self) -> bool:
        """Only when it is set."""
        return bool(self.value())


class FingerprintFilter(ReachedByLink):
    """Runs that failed in the same way."""

    title = "error"
    parameter_name = "error_fingerprint"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The runs whose error has this fingerprint."""
        value = self.value()
        return queryset.filter(error_fingerprint=value) if value else queryset


class ParentFilter(ReachedByLink):
    """Runs that a run started."""

    title = "child of"
    parameter_name = "parent"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The children of this run; none of what is no id."""
        value = self.value()
        if not value:
            return queryset
        try:
            return queryset.filter(parent_id=UUID(value))
        except ValueError:
            return queryset.none()


class ParentStepFilter(ReachedByLink):
    """Runs that one step started."""

    title = "started by step"
    parameter_name = "parent_node"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those of this step."""
        value = self.value()
        return queryset.filter(parent_node=value) if value else queryset
