"""Redriving one run: from the start, from what failed, or from a named step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_protect

from automate.accounts.admin.html import page_of, short_id
from runs import services
from runs.admin.history import run_link
from runs.admin.run_page import names_of
from runs.models import Run, StepRun
from runs.services.carry import NAMED, loops_left_undone
from runs.states import RunStatus
from workflows.models import WorkflowVersion

if TYPE_CHECKING:
    from runs.admin.run_verbs import RunVerbs

    _Base = RunVerbs
else:
    _Base = object

MOST_STEPS = 500


class RedriveForm(forms.Form):
    """Where the new run begins, and on which version."""

    start = forms.ChoiceField(label="Begin with", choices=())
    version = forms.ChoiceField(label="On", widget=forms.RadioSelect, choices=())

    def __init__(self, run: Run, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        start: Any = self.fields["start"]
        version: Any = self.fields["version"]
        start.choices = starts_of(run)
        version.choices = versions_of(run)


def starts_of(run: Run) -> list[tuple[str, Any]]:
    """The places from which this run can be redriven; steps are those that began."""
    found: list[tuple[str, Any]] = []
    if run.status == RunStatus.CANCELLED:
        found.append(("failed", "what had not succeeded when it was cancelled"))
    elif run.status != RunStatus.SUCCEEDED:
        found.append(("failed", "what failed"))
    elif loops_left_undone(run):
        found.append(("failed", "the items of its loops that failed"))
    found.append(("start", "the start: nothing is taken over"))
    names = names_of(run)
    rows = StepRun.objects.filter(run=run, attempt__gt=0).order_by("id")
    steps = [
        (step_key(node), f"{names.get(node, node)} ({status})")
        for node, status in rows.values_list("node_id", "status")[:MOST_STEPS]
    ]
    if steps:
        found.append(("a step, and what comes after it", steps))
    return found


def step_key(node_id: str) -> str:
    """How a redrive names this step, also when it is called like a keyword."""
    return f"{NAMED}{node_id}" if node_id in ("start", "failed") else node_id


def versions_of(run: Run) -> list[tuple[str, str]]:
    """The version that the run had, and the latest when it is another."""
    latest = newer_version(run)
    found = [("pinned", f"{run.version}, which this run had")]
    if latest is not None:
        found.append(("latest", f"{latest}, the latest that is published"))
    return found


def newer_version(run: Run) -> WorkflowVersion | None:
    """The published version, when the run had another one."""
    latest = run.workflow.published
    return latest if latest is not None and latest.pk != run.version_id else None


class RunRedrive(_Base):
    """The page that redrives one run."""

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the page."""
        view = self.admin_site.admin_view(self.redrive_view)
        return [
            path("<uuid:pk>/redrive/", view, name="runs_run_redrive"),
            *super().get_urls(),
        ]

    @method_decorator(csrf_protect)
    def redrive_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """GET asks, POST redrives and shows the new run, or why it was refused."""
        if not self.has_redrive_permission(request):
            raise PermissionDenied
        run = self._one(request, pk)
        posted = request.POST if request.method == "POST" else None
        form = RedriveForm(run, posted, initial=_asked(request, run))
        reasons: Sequence[str] = ()
        if posted is not None and form.is_valid():
            by: Any = request.user
            try:
                new = services.redrive(run, by=by, **form.cleaned_data)
            except services.RedriveRefused as error:
                reasons = error.reasons
            else:
                note = format_html("This run redrives {}.", run_link(run.pk))
                self.message_user(request, note, messages.SUCCESS)
                return HttpResponseRedirect(page_of(new))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Redrive run {short_id(run.pk)}",
            "subtitle": None,
            "opts": self.opts,
            "run": run,
            "form": form,
            "reasons": reasons,
            "latest": newer_version(run),
        }
        return TemplateResponse(request, "admin/runs/run/redrive.html", context)


def _asked(request: HttpRequest, run: Run) -> dict[str, str]:
    """What the link to the page has chosen already.

    A version that was published after the run's is likely what mends it.
    """
    latest = newer_version(run)
    later = latest is not None and latest.number > run.version.number
    given = {name: request.GET.get(name, "") for name in ("start", "version")}
    return {
        "version": "latest" if later else "pinned",
        **{key: value for key, value in given.items() if value},
    }
