"""Pages of a version: what it changed, and the way back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.admin.html import page_of
from workflows import services
from workflows.admin.workflow_save import listed, refusal
from workflows.definition import Change
from workflows.models import Workflow, WorkflowVersion

if TYPE_CHECKING:
    _Base = ReadOnlyAdmin
else:
    _Base = object

SHOWN = 500


class RollbackForm(forms.Form):
    """A word about why, and the edit that the person has seen."""

    note = forms.CharField(
        label="Why",
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    seen_edit = forms.IntegerField(widget=forms.HiddenInput)


class VersionPages(_Base):
    """The difference to the version before and to the draft, and the rollback."""

    def get_urls(self) -> list[URLPattern]:
        """The admin's addresses and those of the two pages."""
        view = self.admin_site.admin_view
        name = "workflows_workflowversion"
        pages = (("diff", self.diff_view), ("rollback", self.rollback_view))
        return [
            *(
                path(f"<uuid:pk>/{verb}/", view(page), name=f"{name}_{verb}")
                for verb, page in pages
            ),
            *super().get_urls(),
        ]

    def has_rollback_permission(self, request: HttpRequest) -> bool:
        """Whether this person may change what runs."""
        return request.user.has_perm("workflows.publish_workflow")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the buttons that this person may press."""
        version: WorkflowVersion = context["original"]
        workflow = version.workflow
        context |= {
            "before": _before(version),
            "is_published": workflow.published_id == version.pk,
            "may_roll_back": self.has_rollback_permission(request)
            and workflow.status != Workflow.Status.ARCHIVED,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def diff_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """What this version changed, or what the draft or what runs now differs in."""
        version = self._version(request, pk)
        sides: tuple[WorkflowVersion, WorkflowVersion | None]
        if request.GET.get("against") == "draft":
            title, sides = f"From {version} to the draft", (version, None)
            try:
                changes = services.diff_draft(version.workflow, version)
            except services.WorkflowServiceError as error:
                self.message_user(request, refusal(error), messages.ERROR)
                return HttpResponseRedirect(page_of(version))
        elif request.GET.get("against") == "published":
            now = version.workflow.published
            if now is None:
                raise Http404("There is no published version.")
            title, sides = f"From {version} to {now}", (version, now)
            changes = services.diff_versions(version, now)
        else:
            before = _before(version)
            if before is None:
                raise Http404("There is no version before this one.")
            title, sides = f"From {before} to {version}", (before, version)
            changes = services.diff_versions(before, version)
        context = self._context(request, version, title, changes)
        context |= {
            "sides": sides,
            "total": len(changes),
            "same_triggers": same_triggers(*sides),
            "may_roll_back": self.has_rollback_permission(request)
            and version.workflow.status != Workflow.Status.ARCHIVED,
        }
        return TemplateResponse(
            request, "admin/workflows/workflowversion/diff.html", context
        )

    def rollback_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask first, with what would change; then do it."""
        version = self._version(request, pk)
        if not self.has_rollback_permission(request):
            raise PermissionDenied
        workflow = version.workflow
        form = RollbackForm(
            request.POST or None, initial={"seen_edit": workflow.edit_count}
        )
        if request.method == "POST" and form.is_valid():
            self._roll_back(request, version, form.cleaned_data)
            return HttpResponseRedirect(page_of(workflow))
        now = workflow.published
        changes = [] if now is None else services.diff_versions(now, version)
        context = self._context(request, version, f"Roll back to {version}", changes)
        context |= {"form": form, "now": now}
        return TemplateResponse(
            request, "admin/workflows/workflowversion/rollback.html", context
        )

    def _roll_back(
        self, request: HttpRequest, version: WorkflowVersion, data: dict[str, Any]
    ) -> None:
        by: Any = request.user
        try:
            done = services.rollback(
                version.workflow,
                version.number,
                by=by,
                note=data["note"],
                expected_edit_count=data["seen_edit"],
            )
        except services.DocumentError as error:
            note = listed("Not rolled back:", error.problems)
            self.message_user(request, note, messages.ERROR)
        except services.WorkflowServiceError as error:
            self.message_user(request, refusal(error), messages.ERROR)
        else:
            note = f"{version.workflow}: rolled back to {done.version}."
            self.message_user(request, note, messages.SUCCESS)
            if done.warnings:
                self.message_user(request, listed("", done.warnings), messages.WARNING)

    def _version(self, request: HttpRequest, pk: UUID) -> WorkflowVersion:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request).select_related("workflow__published")
        version: WorkflowVersion | None = rows.filter(pk=pk).first()
        if version is None:
            raise Http404("No such version.")
        return version

    def _context(
        self,
        request: HttpRequest,
        version: WorkflowVersion,
        title: str,
        changes: list[Change],
    ) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "subtitle": None,
            "opts": self.opts,
            "version": version,
            "changes": [str(change) for change in changes[:SHOWN]],
            "more": max(0, len(changes) - SHOWN),
        }


def same_triggers(old: WorkflowVersion, new: WorkflowVersion | None) -> bool | None:
    """Whether two versions have the same triggers; None where that is not known."""
    if new is None or old.triggers is None or new.triggers is None:
        return None
    return bool(old.triggers == new.triggers)


def _before(version: WorkflowVersion) -> WorkflowVersion | None:
    earlier = WorkflowVersion.objects.filter(
        workflow=version.workflow_id, number__lt=version.number
    )
    return earlier.order_by("-number").first()
