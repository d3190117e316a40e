"""“Run now”: a person starts a workflow with a payload of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.scope import visible
from automate.lib.redaction import Redactor
from runs import services
from workflows.admin.fields import StrictJSONField
from workflows.definition.problems import shorten
from workflows.models import Workflow

if TYPE_CHECKING:
    _Base = ReadOnlyAdmin
else:
    _Base = object


class StartForm(forms.Form):
    """The payload of a run that a person starts, and variables for this run alone."""

    payload = StrictJSONField(
        rows=12, initial={}, help_text="JSON. Steps read it as {{ trigger.payload }}."
    )
    variables = StrictJSONField(rows=4, required=False, initial="")

    def __init__(self, declared: Mapping[str, Any], data: Any = None) -> None:
        """`declared`: the published version's variables; without any, no box."""
        super().__init__(data)
        if not declared:
            del self.fields["variables"]
            return
        self.fields["variables"].help_text = (
            "JSON: values for this run instead of the workflow's own. Left empty they "
            f"stay as they are: {_own(declared)}"
        )

    def clean_variables(self) -> dict[str, Any]:
        """An object; which names it may have, the service knows."""
        given = self.cleaned_data.get("variables")
        if given is None:
            return {}
        if not isinstance(given, dict):
            raise forms.ValidationError('Write an object: {"name": "value"}.')
        return given


class RunStart(_Base):
    """Starting a run by hand; it needs the permission to add runs."""

    def may_start(self, request: HttpRequest) -> bool:
        """Whether this person may start runs."""
        return request.user.has_perm("runs.add_run")

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the form."""
        view = self.admin_site.admin_view(self.start_view)
        return [
            path("start/<uuid:pk>/", view, name="runs_run_start"),
            *super().get_urls(),
        ]

    @method_decorator(csrf_protect)
    def start_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """GET shows the form, POST starts a run and shows it."""
        if not self.may_start(request):
            raise PermissionDenied
        workflow = visible(Workflow.objects.all(), request.user).filter(pk=pk).first()
        if workflow is None:
            raise Http404("No such workflow.")
        posted = request.POST if request.method == "POST" else None
        form = StartForm(_declared(workflow), posted)
        if posted is not None and form.is_valid():
            started = self._start(request, workflow, form)
            if started is not None:
                return started
        context = {
            **self.admin_site.each_context(request),
            "title": f"Run {workflow} now",
            "subtitle": None,
            "opts": self.opts,
            "workflow": workflow,
            "form": form,
        }
        return TemplateResponse(request, "admin/runs/run/start.html", context)

    def _start(
        self, request: HttpRequest, workflow: Workflow, form: StartForm
    ) -> HttpResponse | None:
        by: Any = request.user
        given = form.cleaned_data
        try:
            accepted = services.execute_manually(
                workflow, given["payload"], by, given.get("variables")
            )
        except services.BadVariables as error:
            for problem in error.problems:
                form.add_error("variables", problem)
            return None
        except services.RunServiceError as error:
            self.message_user(request, error.message, messages.ERROR)
            return None
        self.message_user(request, "The run is queued.", messages.SUCCESS)
        return HttpResponseRedirect(
            reverse("admin:runs_run_change", args=(accepted.run_id,))
        )


def _declared(workflow: Workflow) -> Mapping[str, Any]:
    """The variables of the version that would be started, by name."""
    published = workflow.published
    return (published.definition.get("variables") or {}) if published else {}


def _own(declared: Mapping[str, Any]) -> str:
    """The variables and their values in one line, redacted."""
    text = json.dumps(Redactor().data(declared), ensure_ascii=False)
    return shorten(text, 500)
