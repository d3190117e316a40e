"""The page of an imported workflow: what became of each of n8n's nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from workflows.definition import digest
from workflows.integrations.n8n.nodes.base import connection_name
from workflows.integrations.n8n.report import FIDELITIES
from workflows.models import Connection, N8nImport, Workflow

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[Workflow]
else:
    _Base = object

# What is left to do comes first.
ORDER = tuple(reversed(FIDELITIES))
TITLES = {
    "unsupported": "Not converted: a placeholder stands there",
    "approximate": "Converted, with a difference",
    "exact": "Does what it did in n8n",
}
COLOURS = {"unsupported": "failed", "approximate": "waiting", "exact": "succeeded"}


class N8nPage(_Base):
    """Adds it to the workflows' pages."""

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and that of the report."""
        view = self.admin_site.admin_view(self.n8n_view)
        return [
            path("<uuid:pk>/n8n/", view, name="workflows_workflow_n8n"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With a link to the report of a workflow that was imported."""
        workflow = context.get("original")
        context["is_from_n8n"] = (
            workflow is not None
            and N8nImport.objects.filter(workflow=workflow.pk).exists()
        )
        return super().render_change_form(request, context, *args, **kwargs)

    def n8n_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """What became of each node, and what is left to do."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        workflow = self.get_queryset(request).filter(pk=pk).first()
        row = N8nImport.objects.filter(workflow=pk).first() if workflow else None
        if workflow is None or row is None:
            raise Http404("It was not imported from n8n.")
        report = row.report if isinstance(row.report, dict) else {}
        context = {
            **self.admin_site.each_context(request),
            "title": "What became of n8n's nodes",
            "subtitle": None,
            "opts": self.opts,
            "workflow": workflow,
            "row": row,
            "is_edited": digest(workflow.definition) != row.draft_sha256,
            "groups": _groups(report),
            "warnings": report.get("warnings", []),
            "connections": _connections(workflow, report),
            "may_open": request.user.has_perm("workflows.view_connection"),
            "may_add": request.user.has_perm("workflows.add_connection"),
            "variables": _empty_variables(workflow),
        }
        return TemplateResponse(request, "admin/workflows/workflow/n8n.html", context)


def _groups(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes by fidelity, each group with its title."""
    nodes = report.get("nodes", [])
    groups = (
        {
            "fidelity": fidelity,
            "title": TITLES[fidelity],
            "colour": COLOURS[fidelity],
            "nodes": [node for node in nodes if node.get("fidelity") == fidelity],
        }
        for fidelity in ORDER
    )
    return [group for group in groups if group["nodes"]]


def _connections(workflow: Workflow, report: dict[str, Any]) -> list[dict[str, Any]]:
    """The credentials' names, and the connections that stand for them, if any."""
    names = {name: connection_name(name) for name in report.get("credentials", [])}
    own = Q(team=None) | Q(team=workflow.team_id)
    rows = Connection.objects.filter(own, name__in=names.values())
    found = {row.name: row for row in rows}
    return [
        {"credential": name, "name": wanted, "row": found.get(wanted)}
        for name, wanted in names.items()
    ]


def _empty_variables(workflow: Workflow) -> list[str]:
    given = workflow.definition.get("variables")
    return [name for name, value in (given or {}).items() if value == ""]
