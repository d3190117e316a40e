"""Rows that have a page of our own, never a form."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import short_id


class PageAdmin(ReadOnlyAdmin):
    """What a model's pages have in common: `page_template` gets `page_context`."""

    page_template: str

    def page_rows(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows that this person may see, with what a page shows of one."""
        return self.get_queryset(request)

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the template shows of this row."""
        raise NotImplementedError

    def page_row(self, request: HttpRequest, object_id: object) -> Any:
        """The row of a page; Http404 where there is none that this person may see."""
        row: Model | None
        try:
            row = self.page_rows(request).filter(pk=object_id).first()
        except ValidationError:  # no id at all
            row = None
        if row is None:
            raise Http404(f"No such {self.opts.verbose_name}.")
        return row

    @method_decorator(require_safe)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 - Django's hook
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one row."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.page_row(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": f"{str(self.opts.verbose_name).capitalize()} {short_id(row.pk)}",
            "subtitle": None,
            "opts": self.opts,
            **self.page_context(request, row),
        }
        return TemplateResponse(request, self.page_template, context)
