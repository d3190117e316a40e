"""The kinds of triggers as people read them: in lists, in filters and below boxes."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from workflows.triggers.base import TriggerKind, all_kinds
from workflows.triggers.schemes import SCHEMES


def kind_name(name: str) -> str:
    """The label of a kind; the name itself of one that no package knows any more."""
    kind = all_kinds().get(name)
    return kind.label if kind else name


class KindFilter(admin.SimpleListFilter):
    """By kind, in the words of the list."""

    title = "kind"
    parameter_name = "kind__exact"  # as lists and bookmarks have always named it

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Each kind that a trigger may have."""
        return [(kind.kind, kind.label) for kind in all_kinds().values()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The triggers of the chosen kind."""
        value = self.value()
        return queryset.filter(kind=value) if value else queryset


def further_options(kind: TriggerKind, own: Collection[str]) -> list[str]:
    """The names of a kind's options that have no box of their own (`own`)."""
    named = kind.config_schema.get("properties", {})
    return [name for name in named if name not in own and name not in SCHEMES]


def options_help(own: Collection[str]) -> SafeString:
    """What may stand among the further options, kind by kind; trigger.js shows one."""
    return format_html(
        "JSON. {}",
        format_html_join(
            " ",
            '<span data-kind="{}">{}: {}.</span>',
            ((kind.kind, kind.label, _said(kind, own)) for kind in kinds_with(own)),
        ),
    )


def _said(kind: TriggerKind, own: Collection[str]) -> str:
    names = ", ".join(further_options(kind, own))
    return f"{names}, and the scheme's own options" if kind.addressed else names


def kinds_with(own: Collection[str]) -> list[TriggerKind]:
    """The kinds that have further options."""
    return [kind for kind in all_kinds().values() if further_options(kind, own)]
