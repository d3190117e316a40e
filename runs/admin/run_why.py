"""“Why did this run?”: what decided about one run, on a page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from automate.accounts.admin.html import short_id
from runs.services.explain import READS, explain

if TYPE_CHECKING:
    from runs.admin.run_verbs import RunVerbs

    _Base = RunVerbs
else:
    _Base = object


class RunWhy(_Base):
    """The page that `manage.py explain` prints, for those who may see the run."""

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the explanation."""
        view = self.admin_site.admin_view(self.why_view)
        return [path("<uuid:pk>/why/", view, name="runs_run_why"), *super().get_urls()]

    @method_decorator(require_safe)
    def why_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Never a form."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request).defer(None).defer("output")
        run = rows.select_related(*READS).filter(pk=pk).first()
        if run is None:
            raise Http404("No such run.")
        context = {
            **self.admin_site.each_context(request),
            "title": f"Why run {short_id(run.pk)}?",
            "subtitle": None,
            "opts": self.opts,
            "run": run,
            "explanation": explain(run),
        }
        return TemplateResponse(request, "admin/runs/run/why.html", context)
