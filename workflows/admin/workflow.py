"""Workflows: built, published and switched here."""

# ruff: noqa: ARG002 - Django's hooks have more arguments than we need

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from automate.accounts.admin.base import AuditedAdmin, RelatedFilter
from automate.accounts.admin.html import NOTHING, link, list_link, page_of, pill, when
from workflows import services
from workflows.admin.links import runs_of
from workflows.admin.n8n_page import N8nPage
from workflows.admin.trigger import TriggerInline
from workflows.admin.workflow_form import WorkflowForm, problems_of
from workflows.admin.workflow_save import WorkflowSaving
from workflows.models import Trigger, Workflow, WorkflowVersion

COLOURS = {"active": "succeeded", "draft": "queued", "inactive": "waiting"}
VERBS: dict[str, tuple[Callable[[Workflow, Any], bool], str]] = {
    "activate": (services.activate, "activated"),
    "deactivate": (services.deactivate, "deactivated"),
    "archive": (services.archive, "archived"),
}


class WorkflowAdmin(N8nPage, WorkflowSaving, AuditedAdmin):
    """Workflows by name; deleted ones are archived, because their runs stay."""

    form = WorkflowForm
    inlines = (TriggerInline,)
    team_path = "team"
    change_form_template = "admin/workflows/workflow/change_form.html"
    list_display = (
        "name", "state", "team", "version", "trigger_count", "runs", "owner",
        "changed",
    )  # fmt: skip
    list_select_related = ("team", "published", "owner")
    list_filter = (
        "status",
        ("team", RelatedFilter),
        ("owner", admin.RelatedOnlyFieldListFilter),
    )
    search_fields = ("name", "slug", "description")
    date_hierarchy = "created_at"
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012 - Django's own form
    readonly_fields = ("state", "version", "problems")
    actions = ("publish_selected", "activate", "deactivate", "archive")
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "team", "seen_edit")}),
        ("What happens", {"fields": ("definition", "problems")}),
        (
            "Limits, tags and search",
            {
                "classes": ("collapse",),
                "fields": (
                    "max_concurrent_runs", "exclusive", "priority", "run_timeout",
                    "retention_days", "tags", "search_keys",
                ),
            },
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workflow]:
        """Workflows with the number of their triggers."""
        rows: QuerySet[Workflow] = super().get_queryset(request)
        return rows.annotate(triggers_made=Count("triggers", distinct=True))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """What is wrong with the stored draft, when there is one."""
        sets = super().get_fieldsets(request, obj)
        if obj is not None:
            return sets
        return (sets[0], ("What happens", {"fields": ("definition",)}), *sets[2:])

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A slug is an address: it follows the name until it is saved once."""
        return {} if obj else self.prepopulated_fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Workflows are archived: their runs are history."""
        return False

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Whether this person may change what runs."""
        return request.user.has_perm("workflows.publish_workflow")

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the switches."""
        view = self.admin_site.admin_view(self.switch_view)
        name = "workflows_workflow_switch"
        return [
            path("<uuid:pk>/switch/<slug:verb>/", view, name=name),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the buttons that this person may press."""
        workflow = context.get("original")
        status = getattr(workflow, "status", "")
        may_publish = self.has_publish_permission(request)
        context |= {
            "show_publish": may_publish and status != "archived",
            "may_start": status == "active" and request.user.has_perm("runs.add_run"),
            "may_try": self.has_change_permission(request, workflow)
            and request.user.has_perm("runs.view_run"),
            "switches": self._switches(status) if may_publish and workflow else (),
            "show_save_and_add_another": False,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def _switches(self, status: str) -> tuple[str, ...]:
        known = {
            "active": ("deactivate", "archive"),
            "inactive": ("activate", "archive"),
            "draft": ("archive",),
            "archived": ("activate",),
        }
        return known.get(status, ())

    @method_decorator(require_POST)
    @method_decorator(csrf_protect)
    def switch_view(self, request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
        """Activate, deactivate or archive one workflow."""
        if verb not in VERBS:
            raise Http404("No such verb.")
        workflow = self.get_queryset(request).filter(pk=pk).first()
        if workflow is None:
            raise Http404("No such workflow.")
        if not self.has_publish_permission(request):
            raise PermissionDenied
        self._each(request, [workflow], verb)
        return HttpResponseRedirect(page_of(workflow))

    # --- list actions -----------------------------------------------------------

    @admin.action(description="Publish the draft", permissions=["publish"])
    def publish_selected(
        self, request: HttpRequest, queryset: QuerySet[Workflow]
    ) -> None:
        """Publish each selected workflow's draft."""
        for workflow in queryset[:200]:
            self.publish(request, workflow)

    @admin.action(description="Activate", permissions=["publish"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> None:
        """Take events again."""
        self._each(request, queryset[:200], "activate")

    @admin.action(description="Deactivate", permissions=["publish"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> None:
        """Refuse events; runs in flight finish."""
        self._each(request, queryset[:200], "deactivate")

    @admin.action(description="Archive", permissions=["publish"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Workflow]) -> None:
        """Nothing starts it any more, its history stays."""
        self._each(request, queryset[:200], "archive")

    def _each(self, request: HttpRequest, workflows: Any, verb: str) -> None:
        by: Any = request.user
        work, done = VERBS[verb]
        for workflow in workflows:
            try:
                work(workflow, by)
            except services.WorkflowServiceError as error:
                text = f"{workflow}: {error.message}"
                self.message_user(request, text, messages.ERROR)
            else:
                self.message_user(request, f"{workflow}: {done}.", messages.SUCCESS)

    changed = when("updated_at", "changed", sortable=True)

    # --- columns ----------------------------------------------------------------

    @admin.display(description="status", ordering="status")
    def state(self, workflow: Workflow) -> str:
        """The status as a pill."""
        return pill(COLOURS.get(workflow.status, "cancelled"), workflow.status)

    @admin.display(description="published")
    def version(self, workflow: Workflow) -> str:
        """A link to the version that runs."""
        return link(workflow.published) if workflow.published else "never"

    @admin.display(description="triggers", ordering="triggers_made")
    def trigger_count(self, workflow: Workflow) -> str:
        """A link to its triggers."""
        count = workflow.triggers_made  # type: ignore[attr-defined]
        return list_link(Trigger, count, workflow__id__exact=workflow.pk)

    @admin.display(description="runs")
    def runs(self, workflow: Workflow) -> str:
        """A link to its runs."""
        return runs_of("workflow", workflow)

    @admin.display(description="versions")
    def versions(self, workflow: Workflow) -> str:
        """A link to all its versions."""
        return list_link(WorkflowVersion, "all", workflow__id__exact=workflow.pk)

    @admin.display(description="ready to publish")
    def problems(self, workflow: Workflow) -> str:
        """What stands in the way of publishing the stored draft."""
        if workflow._state.adding:
            return NOTHING
        found = problems_of(workflow)
        if not found:
            return "Yes: nothing is wrong with the saved draft."
        many = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        return format_html(
            '<div class="trouble"><strong>No: {} in the saved draft.</strong>'
            "<ul>{}</ul></div>",
            many,
            format_html_join("", "<li>{}</li>", ((text,) for text in found)),
        )
