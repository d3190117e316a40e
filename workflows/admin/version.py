"""Versions: definitions as they were published."""

from __future__ import annotations

from django.contrib import admin

from automate.accounts.admin.base import ReadOnlyAdmin, RelatedFilter
from automate.accounts.admin.html import block, code, link, pill, pretty, when
from workflows.admin.links import runs_of
from workflows.admin.version_pages import VersionPages
from workflows.models import WorkflowVersion


class WorkflowVersionAdmin(VersionPages, ReadOnlyAdmin):
    """Versions, newest first; they never change."""

    change_form_template = "admin/workflows/workflowversion/change_form.html"
    team_path = "workflow__team"
    list_display = (
        "name", "workflow_link", "current", "note", "created_by", "made", "runs",
    )  # fmt: skip
    list_select_related = ("workflow", "created_by")
    list_filter = (("workflow", RelatedFilter),)
    search_fields = ("workflow__name", "workflow__slug", "note", "sha256__startswith")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (
        "workflow_link", "number", "current", "note", "created_by", "created_at",
        "digest", "runs", "text",
    )  # fmt: skip

    made = when("created_at", "published at", sortable=True)

    @admin.display(description="version", ordering="number")
    def name(self, version: WorkflowVersion) -> str:
        """Version and number."""
        return str(version)

    @admin.display(description="workflow", ordering="workflow__name")
    def workflow_link(self, version: WorkflowVersion) -> str:
        """A link to the workflow."""
        return link(version.workflow)

    @admin.display(description="state")
    def current(self, version: WorkflowVersion) -> str:
        """Whether this is what new events start."""
        if version.workflow.published_id == version.pk:
            return pill("succeeded", "published")
        return pill("cancelled", "earlier")

    @admin.display(description="runs")
    def runs(self, version: WorkflowVersion) -> str:
        """A link to the runs of this version."""
        return runs_of("version", version)

    @admin.display(description="SHA-256")
    def digest(self, version: WorkflowVersion) -> str:
        """The digest of the canonical definition."""
        return code(version.sha256)

    @admin.display(description="definition")
    def text(self, version: WorkflowVersion) -> str:
        """The definition as JSON."""
        return block(pretty(version.definition))
