"""“Try a step”: what it would send for a run's data; it sends only when told to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect

from automate.accounts.admin.html import pretty, pretty_text, short_id
from automate.accounts.admin.scope import visible
from runs import services
from runs.models import Run
from runs.services.trial import ROOTS, Trial, try_step
from workflows.actions.base import all_actions
from workflows.admin.fields import StrictJSONField
from workflows.definition import walk_nodes
from workflows.models import Workflow
from workflows.services import DocumentError, parse_document

if TYPE_CHECKING:
    from runs.admin.run_verbs import RunVerbs

    _Base = RunVerbs
else:
    _Base = object

LATEST, LATEST_ITEMS = 10, 5  # runs to choose from
COLOURS = {"rendered": "queued", "retry": "failed"}
SAID = {
    "rendered": "not executed",
    "retry": "failed; a run would try again",
    "waiting": "would wait",
}


class TryForm(forms.Form):
    """Which step, and with which data."""

    step = forms.ChoiceField(choices=())
    run = forms.ChoiceField(
        required=False,
        choices=(),
        label="Data of",
        help_text="The event of this run, and what its steps gave.",
    )
    pinned = StrictJSONField(
        rows=6,
        required=False,
        initial="",
        label="Other data",
        help_text='JSON; it goes before the run\'s: {"trigger": {"payload": {"order": '
        '7}}, "steps": {"ID": {"status": 200}}, "variables": {}}.',
    )

    def __init__(
        self, steps: list[tuple[str, str]], runs: list[tuple[str, str]], data: Any
    ) -> None:
        super().__init__(data)
        step: Any = self.fields["step"]
        run: Any = self.fields["run"]
        step.choices = steps
        run.choices = [("", "no run"), *runs]
        if runs:
            run.initial = runs[0][0]

    def clean_pinned(self) -> Mapping[str, Any]:
        """An object of the names that expressions know."""
        given = self.cleaned_data.get("pinned")
        if given is None:
            return {}
        if not isinstance(given, dict):
            raise forms.ValidationError('Write an object: {"trigger": {...}}.')
        for name in ("trigger", "steps", "variables"):
            if not isinstance(given.get(name, {}), dict):
                raise forms.ValidationError(f"“{name}” must be an object.")
        unknown = sorted(set(given) - ROOTS)
        if unknown:
            raise forms.ValidationError(
                f"Unknown: {', '.join(unknown)}. Known: {', '.join(sorted(ROOTS))}."
            )
        return given


class TryStep(_Base):
    """The page that tries a step of a workflow's draft."""

    def may_try(self, request: HttpRequest) -> bool:
        """Whether this person edits workflows and sees runs, whose data are shown."""
        user = request.user
        return user.has_perm("workflows.change_workflow") and self.has_view_permission(
            request
        )

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the page."""
        view = self.admin_site.admin_view(self.try_view)
        return [path("try/<uuid:pk>/", view, name="runs_run_try"), *super().get_urls()]

    @method_decorator(csrf_protect)
    def try_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """GET asks; POST shows what the step would do, and with `send` does it."""
        if not self.may_try(request):
            raise PermissionDenied
        workflow = visible(Workflow.objects.all(), request.user).filter(pk=pk).first()
        if workflow is None:
            raise Http404("No such workflow.")
        posted = request.POST if request.method == "POST" else None
        send = posted is not None and "send" in posted
        if send and not self.has_redrive_permission(request):
            raise PermissionDenied
        nodes = _nodes(workflow)
        steps = [(key, f"{name} ({kind})") for key, (name, kind) in nodes.items()]
        form = TryForm(steps, self._runs(request, workflow), posted)
        trial, refused = None, ""
        if posted is not None and form.is_valid():
            try:
                trial = self._tried(request, workflow, form.cleaned_data, send=send)
            except services.TrialRefused as error:
                refused = error.message
        kind = nodes.get(form.data.get("step", ""), ("", ""))[1]
        action = all_actions().get(kind)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Try a step of {workflow}",
            "subtitle": None,
            "opts": self.opts,
            "workflow": workflow,
            "form": form,
            "refused": refused,
            "shown": trial and _shown(trial),
            "was_sent": send,
            "may_send": bool(
                trial is not None
                and action is not None
                and (action.sends or action.stores)
                and trial.input is not None
                and (send or trial.status == "rendered")
                and self.has_redrive_permission(request)
            ),
        }
        response = TemplateResponse(request, "admin/runs/run/try.html", context)
        response.headers["Cache-Control"] = "no-store, private"
        return response

    def _runs(self, request: HttpRequest, workflow: Workflow) -> list[tuple[str, str]]:
        """The latest runs of events, then those of the latest items of loops."""
        rows = self.get_queryset(request).filter(workflow=workflow).order_by("-pk")
        events = rows.filter(item_index=None)[:LATEST]
        items = rows.filter(item_index__isnull=False)[:LATEST_ITEMS]
        return [(str(row.pk), _described(row)) for row in (*events, *items)]

    def _tried(
        self,
        request: HttpRequest,
        workflow: Workflow,
        chosen: Mapping[str, Any],
        *,
        send: bool,
    ) -> Trial:
        by: Any = request.user
        run: Run | None = None
        if chosen["run"]:
            rows = self.get_queryset(request).defer(None).select_related("version")
            run = rows.get(pk=chosen["run"], workflow=workflow)
        return try_step(
            workflow, chosen["step"], by=by, run=run, data=chosen["pinned"], send=send
        )


def _described(run: Run) -> str:
    item = "" if run.item_index is None else f", item {run.item_index} of a loop"
    status = run.shown_status.replace("_", " ")
    return f"{short_id(run.pk)}, {run.created_at:%Y-%m-%d %H:%M:%S}, {status}{item}"


def _nodes(workflow: Workflow) -> dict[str, tuple[str, str]]:
    """Name and kind of each step of the draft, by its id; none of a broken one."""
    published = workflow.published.definition if workflow.published else {}
    try:
        read = parse_document(workflow.definition or published, allow_problems=True)
    except DocumentError:
        return {}
    nodes = [found.node for found in walk_nodes(read.definition)]
    return {
        str(node["id"]): (str(node.get("name") or node["id"]), str(node.get("type")))
        for node in nodes
        if node.get("id")
    }


def _shown(trial: Trial) -> dict[str, Any]:
    """A trial for reading; the service has redacted it."""
    request = trial.request if isinstance(trial.request, Mapping) else None
    body = request.get("body") if request else None
    return {
        "trial": trial,
        "colour": COLOURS.get(trial.status, trial.status),
        "status": SAID.get(trial.status, trial.status),
        "input": pretty(trial.input) if trial.input is not None else "",
        "request": request,
        "request_body": pretty_text(body) if isinstance(body, str) else pretty(body),
        "other_request": pretty(trial.request) if trial.request and not request else "",
        "output": pretty(trial.output) if trial.output is not None else "",
        "answer": pretty_text(trial.attempt.response_body) if trial.attempt else "",
    }
