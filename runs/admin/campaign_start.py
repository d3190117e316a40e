"""“Redrive all that match”: the count first, then how fast, then a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect

from automate.accounts.admin.html import page_of
from runs import services
from runs.admin.campaign_filter import in_words, parameters, wanted_of
from runs.admin.run_redrive import step_key
from runs.services import campaigns
from workflows.definition import walk_nodes
from workflows.models import Workflow

if TYPE_CHECKING:
    from runs.admin.run_verbs import RunVerbs

    _Base = RunVerbs
else:
    _Base = object

STARTS = (("failed", "what failed in each"), ("start", "the start"))
VERSIONS = (
    ("pinned", "the version that each run had"),
    ("latest", "the latest published version"),
)


class CampaignForm(forms.Form):
    """Where each redrive begins, how fast they go, and when to stop."""

    start = forms.ChoiceField(label="Begin with", choices=STARTS)
    version = forms.ChoiceField(
        label="On", choices=VERSIONS, initial="pinned", widget=forms.RadioSelect
    )
    rate = forms.FloatField(
        label="Redrives a second",
        initial=5.0,
        min_value=0.01,
        max_value=campaigns.MAX_RATE,
        help_text="Slow enough for those whom the steps call.",
    )
    check_after = forms.IntegerField(
        label="Look after (runs)",
        initial=20,
        min_value=0,
        max_value=100_000,
        help_text="It redrives so many, waits until they have ended, and goes on when "
        "enough of them succeeded. 0: it never looks.",
    )
    max_failed = forms.IntegerField(
        label="Stop above (%)",
        initial=20,
        min_value=0,
        max_value=100,
        help_text="Of its redrives that have ended: when more have failed, it stops.",
    )

    def __init__(self, wanted: Mapping[str, Any], data: Any = None) -> None:
        super().__init__(data)
        steps = _steps(wanted)
        if steps:
            start: Any = self.fields["start"]
            start.choices = [*STARTS, ("a step, in each", steps)]

    def settings(self) -> dict[str, Any]:
        """What the service takes."""
        data = self.cleaned_data
        return {**data, "max_failed": data["max_failed"] / 100}


def _steps(wanted: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The steps of the one workflow that is meant, as it is published."""
    if "workflow" not in wanted:
        return []
    rows = Workflow.objects.filter(slug=wanted["workflow"]).select_related("published")
    workflow = rows.first()
    if workflow is None or workflow.published is None:
        return []
    nodes = [
        found.node
        for found in walk_nodes(workflow.published.definition)
        if not found.loops
    ]
    names = ((str(node["id"]), str(node.get("name") or node["id"])) for node in nodes)
    return [(step_key(key), name) for key, name in names]


class CampaignStart(_Base):
    """The page that starts a campaign over what the list of runs shows."""

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the page."""
        view = self.admin_site.admin_view(self.redrive_all_view)
        return [
            path("redrive-all/", view, name="runs_run_redrive_all"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list with the button, for those who may press it."""
        may = self.has_redrive_permission(request)
        context = {"may_redrive_all": may, **(extra_context or {})}
        return super().changelist_view(request, context)

    @method_decorator(csrf_protect)
    def redrive_all_view(self, request: HttpRequest) -> HttpResponse:
        """GET counts and asks, POST starts the campaign and shows it."""
        if not (
            self.has_view_permission(request) and self.has_redrive_permission(request)
        ):
            raise PermissionDenied
        by: Any = request.user
        wanted, problems = wanted_of(parameters(request.GET), request.user)
        posted = request.POST if request.method == "POST" else None
        form = CampaignForm(wanted, posted)
        if posted is not None and not problems and form.is_valid():
            try:
                made = campaigns.start_campaign(wanted, by=by, **form.settings())
            except services.CampaignRefused as error:
                form.add_error(None, error.message)
            else:
                note = f"The campaign has begun: {made.total:,} run(s)."
                self.message_user(request, note, messages.SUCCESS)
                return HttpResponseRedirect(page_of(made))
        context = {
            **self.admin_site.each_context(request),
            "title": "Redrive all that match",
            "subtitle": None,
            "opts": self.opts,
            "form": form,
            "problems": problems,
            "words": in_words(wanted),
            "count": None if problems else campaigns.count(wanted, by=by),
            "most": campaigns.MOST,
            "query": request.GET.urlencode(),
        }
        return TemplateResponse(request, "admin/runs/campaign/start.html", context)
