"""Versions of a workflow: read, compare, publish, roll back."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from automate.accounts.api.callers import caller
from automate.accounts.models.api_key import Scope
from automate.lib.errors import Code
from automate.lib.rest import ApiError, ListQuery, StrictSerializer, invalid, page
from automate.lib.rest.described import described, page_of
from automate.lib.rest.strict import StrictQuery
from workflows import services
from workflows.api import answers, shapes
from workflows.api.base import EDIT, WorkflowView, listed, told
from workflows.api.etags import expected
from workflows.api.workflows import tag
from workflows.definition import Change
from workflows.models import Workflow, WorkflowVersion

NOTHING: dict[str, Any] = {"nodes": [], "connections": [], "variables": {}}
LARGEST = 2**31 - 1  # of a version's number


class VersionList(WorkflowView):
    """A workflow's versions, newest first."""

    scopes: ClassVar = {"GET": Scope.WORKFLOWS_READ}

    @described("list_versions", {200: page_of(answers.Version)}, query=ListQuery)
    def get(self, request: Request, workflow: str) -> Response:
        """`{"results": [version], "next", "next_cursor"}`, without definitions."""
        query = ListQuery.read_query(request)
        row = self.find(request, workflow)
        rows = row.versions.select_related("created_by").defer("definition", "triggers")
        found, further = page(rows, request, query)
        results = [shapes.version(one, row.published_id) for one in found]
        return Response({"results": results, **further})


class VersionDetail(WorkflowView):
    """One version with its definition."""

    scopes: ClassVar = {"GET": Scope.WORKFLOWS_READ}

    @described("get_version", {200: answers.FullVersion}, query=StrictQuery)
    def get(self, request: Request, workflow: str, number: int) -> Response:
        """The version."""
        StrictQuery.read_query(request)
        row = self.find(request, workflow)
        return Response(shapes.full_version(_version(row, number), row.published_id))


class DiffQuery(StrictQuery):
    """`against`: `previous` (default), `published`, `draft`, or a version's number."""

    against = serializers.RegexField(
        r"^(previous|published|draft|\d{1,9})$",
        default="previous",
        error_messages={"invalid": "Give previous, published, draft, or a number."},
    )


class VersionDiff(WorkflowView):
    """What changed between a version and another one, or the draft."""

    scopes: ClassVar = {"GET": Scope.WORKFLOWS_READ}

    @described(
        "compare_version",
        {200: answers.Diff},
        query=DiffQuery,
        refuses={400: "Nothing is published.", 409: "The draft cannot be read."},
    )
    def get(self, request: Request, workflow: str, number: int) -> Response:
        """`{"from", "to", "changes": [{"kind", "step", "place", "old", "new", ...}]}`.

        From the one before to this version; else from this version to the other. What
        came before the first is the version 0, of nothing.
        """
        against = DiffQuery.read_query(request)["against"]
        row = self.find(request, workflow)
        version = _version(row, number)
        if against == "draft":
            with told():
                return _diff(number, "draft", services.diff_draft(row, version))
        other = _other(row, version, against)
        pair = (other, version) if against == "previous" else (version, other)
        old, new = pair
        return _diff(old.number, new.number, services.diff_versions(old, new))


class NoteBody(StrictSerializer):
    """`{"note"}`, which may be left out."""

    note = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=500
    )


class Publish(WorkflowView):
    """Makes the stored draft the version that runs."""

    scopes: ClassVar = {"POST": Scope.WORKFLOWS_WRITE}

    @described(
        "publish_workflow", {200: answers.PublishedWorkflow}, body=NoteBody, **EDIT
    )
    def post(self, request: Request, workflow: str) -> Response:
        """200 with the workflow; 400 with all that is wrong, 412 as for edits."""
        row = self.find(request, workflow)
        body = NoteBody.read(request.data)
        with told():
            done = services.publish_in_full(
                row,
                by=caller(request),
                note=body["note"],
                expected_edit_count=expected(request, row.edit_count),
            )
        return _published(row, done, request)


class Rollback(WorkflowView):
    """Makes an earlier version the one that runs, once more."""

    scopes: ClassVar = {"POST": Scope.WORKFLOWS_WRITE}

    @described(
        "roll_back_workflow", {200: answers.PublishedWorkflow}, body=NoteBody, **EDIT
    )
    def post(self, request: Request, workflow: str, number: int) -> Response:
        """200 with the workflow; its draft is the version's definition then."""
        row = self.find(request, workflow)
        body = NoteBody.read(request.data)
        _version(row, number)
        with told():
            done = services.rollback(
                row,
                number,
                by=caller(request),
                note=body["note"],
                expected_edit_count=expected(request, row.edit_count),
            )
        return _published(row, done, request)


def _version(workflow: Workflow, number: int) -> WorkflowVersion:
    rows = workflow.versions.select_related("created_by")
    version = rows.filter(number=number).first() if number <= LARGEST else None
    if version is None:
        text = f"There is no version {number} of {workflow.slug}."
        raise ApiError(404, Code.NOT_FOUND, text)
    return version


def _other(
    workflow: Workflow, version: WorkflowVersion, against: str
) -> WorkflowVersion:
    if against.isdecimal():
        return _version(workflow, int(against))
    if against == "published":
        if workflow.published is None:
            raise invalid([("against", "Nothing is published.")])
        return workflow.published
    earlier = workflow.versions.filter(number__lt=version.number)
    before = earlier.order_by("-number").first()
    return before or WorkflowVersion(number=0, definition=NOTHING)


def _diff(old: Any, new: Any, changes: list[Change]) -> Response:
    return Response(
        {"from": old, "to": new, "changes": [shapes.change(one) for one in changes]}
    )


def _published(row: Workflow, done: services.Publication, request: Request) -> Response:
    """`row` was read again when it was published."""
    rows = row.triggers.order_by("id")
    shown = shapes.workflow(row, rows, request, done.new_secrets)
    return Response(
        {
            **shown,
            "warnings": listed(done.warnings),
            "messages": listed(done.messages),
        },
        headers=tag(row),
    )
