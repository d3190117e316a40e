"""The two kinds of admin pages: what people edit, and what is only read."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import (
    AdminSplitDateTime,
    RelatedFieldWidgetWrapper,
)
from django.db.models import ForeignKey, Model, QuerySet, TextField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst

from automate.accounts import audit
from automate.accounts.admin.html import list_of, pretty
from automate.accounts.admin.names import list_name
from automate.accounts.admin.paginator import CappedPaginator
from automate.accounts.admin.scope import visible
from automate.accounts.models import AuditEntry, Team

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _RelatedFieldListFilter = admin.RelatedFieldListFilter
else:
    _ModelAdmin = admin.ModelAdmin
    _RelatedFieldListFilter = admin.RelatedFieldListFilter


class BaseAdmin(_ModelAdmin):
    """Lists that stay fast, rows by team, and the audit as the history.

    `team_path` leads from the model to its team; without it everybody sees all rows.
    """

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count for each choice of each filter
    list_per_page = 50
    team_path: str = ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows that this person may see."""
        rows = super().get_queryset(request)
        return visible(rows, request.user, self.team_path) if self.team_path else rows

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list under its own name instead of "Select ... to change"."""
        context = {"title": list_name(self.opts), **(extra_context or {})}
        return super().changelist_view(request, context)

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Short boxes for texts, and no buttons beside a choice of related objects.

        The two boxes of a moment are named: Django's words before them are no labels.
        """
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        widget = getattr(field, "widget", None)
        if isinstance(widget, RelatedFieldWidgetWrapper):
            widget.can_add_related = widget.can_change_related = False
            widget.can_delete_related = widget.can_view_related = False
        if isinstance(db_field, TextField) and widget is not None:
            widget.attrs["rows"] = 3
        if isinstance(widget, AdminSplitDateTime):
            for box, part in zip(widget.widgets, ("date", "time"), strict=True):
                box.attrs["aria-label"] = f"{capfirst(field.label)}: {part}"
        return field

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> HttpResponse:
        """A page that this person may only read is called after what it shows."""
        row = kwargs.get("obj")
        if row is not None and not self.has_change_permission(request, row):
            context["title"] = capfirst(self.opts.verbose_name)
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The audit entries of this object, instead of Django's own log."""
        del request, extra_context
        return HttpResponseRedirect(
            list_of(
                AuditEntry,
                object_type=self.opts.label_lower,
                object_id=object_id,
            )
        )


class ReadOnlyAdmin(BaseAdmin):
    """History and machinery: seen, never added, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds history."""
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        """Nobody changes history."""
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        """Nobody deletes history; `manage.py purge` does, by age."""
        return False


class AuditedAdmin(BaseAdmin):
    """What people edit: each saved form makes one audit entry with what changed.

    Values of `unaudited` fields are never written down, only that they changed.
    """

    unaudited: Collection[str] = ()

    def get_changes(self, form: forms.BaseForm) -> dict[str, Any]:
        """Field -> from and to, for the fields that a form changed."""
        changes: dict[str, Any] = {}
        for name in form.changed_data:
            if name in self.unaudited:
                changes[name] = "changed"
            else:
                before, after = form.initial.get(name), form.cleaned_data.get(name)
                changes[name] = {"from": _plain(before), "to": _plain(after)}
        return changes

    def construct_change_message(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        add: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> Any:
        """What the audit keeps of a saved form."""
        del request, formsets, add
        return self.get_changes(form)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """An audit entry for a new object."""
        return self._audit("create", request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """An audit entry for a changed object."""
        return self._audit("change", request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """An audit entry for each object that is about to be deleted."""
        return [self._audit("delete", request, row, {}) for row in queryset]

    def _audit(self, verb: str, request: HttpRequest, obj: Model, message: Any) -> Any:
        changes = message if isinstance(message, Mapping) else {"note": str(message)}
        by: Any = request.user
        return audit.record(
            f"{self.opts.model_name}.{verb}", obj, by=by, changes=changes
        )

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """A team field offers a person's own teams."""
        if db_field.name == "team" and not request.user.is_superuser:
            kwargs["queryset"] = request.user.teams.all()  # type: ignore[union-attr]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class RelatedFilter(_RelatedFieldListFilter):
    """A filter by related object that names only what this person may see.

    It offers at most `most` names: lists are reached from an object's own page too.
    """

    most = 200

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: Any
    ) -> list[tuple[str, Any]]:
        """The ids and names to choose from."""
        model = field.remote_field.model
        rows = model._default_manager.all()
        if model is Team and not request.user.is_superuser:
            rows = request.user.teams.all()  # type: ignore[union-attr]
        other = model_admin.admin_site._registry.get(model)
        path = getattr(other, "team_path", "")
        if path:
            rows = visible(rows, request.user, path)
        return [(row.pk, str(row)) for row in rows[: self.most]]


def _plain(value: Any) -> Any:
    if isinstance(value, Model | QuerySet):
        value = str(value) if isinstance(value, Model) else [str(row) for row in value]
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return pretty(value) if isinstance(value, dict) else str(value)
