"""The list of workflows, one workflow, and what is wrong with a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Prefetch
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api.callers import caller
from automate.accounts.models import ApiKey, Team, User
from automate.accounts.models.api_key import Scope
from automate.lib.rest import invalid, page
from automate.lib.rest.described import described, page_of
from automate.lib.rest.strict import StrictQuery
from workflows import services
from workflows.api import answers, shapes
from workflows.api.as_read import writable
from workflows.api.base import (
    CHANGED,
    EDIT,
    FOREIGN,
    NO_TAG,
    TAKEN,
    UNSOUND,
    WorkflowView,
    listed,
    told,
    visible_workflows,
)
from workflows.api.documents import DOCUMENT, PATCH, WHATEVER
from workflows.api.etags import etag, expected
from workflows.api.filters import WorkflowQuery, apply
from workflows.models import Trigger, Workflow

# In the order in which they were made, as `services.matching.rows_of` has them.
TRIGGERS = Prefetch("triggers", queryset=Trigger.objects.order_by("id"))


class WorkflowList(APIView):
    """Workflows, newest first; new ones are made here."""

    scopes: ClassVar = {"GET": Scope.WORKFLOWS_READ, "POST": Scope.WORKFLOWS_WRITE}

    @described("list_workflows", {200: page_of(answers.Workflow)}, query=WorkflowQuery)
    def get(self, request: Request) -> Response:
        """`{"results": [workflow], "next", "next_cursor"}`."""
        query = WorkflowQuery.read_query(request)
        rows = visible_workflows(request).select_related("published", "team", "owner")
        rows = apply(rows.prefetch_related(TRIGGERS), query)
        found, further = page(rows, request, query)
        results = [shapes.workflow(row, row.triggers.all(), request) for row in found]
        return Response({"results": results, **further})

    @described(
        "create_workflow",
        {201: answers.SavedWorkflow},
        body=DOCUMENT,
        sends=("Location", "ETag"),
        refuses={400: UNSOUND, 403: FOREIGN, 409: TAKEN},
    )
    def post(self, request: Request) -> Response:
        """201 with the workflow, published and active unless its status is `draft`."""
        document = document_in(request)
        by = caller(request)
        with told():
            team = team_of(document, by)
            saved = services.create_workflow(document, by=by, team=team)
        shown = saved_shape(saved, request)
        headers = {**tag(saved.workflow), "Location": shown["links"]["self"]}
        return Response(shown, status=201, headers=headers)


class WorkflowDetail(WorkflowView):
    """One workflow."""

    scopes: ClassVar = {
        "GET": Scope.WORKFLOWS_READ,
        "PUT": Scope.WORKFLOWS_WRITE,
        "PATCH": Scope.WORKFLOWS_WRITE,
        "DELETE": Scope.WORKFLOWS_WRITE,
    }

    @described(
        "get_workflow", {200: answers.Workflow}, query=StrictQuery, sends=("ETag",)
    )
    def get(self, request: Request, workflow: str) -> Response:
        """The workflow, with its ETag."""
        StrictQuery.read_query(request)
        row = self.find(request, workflow)
        return Response(shape(row, request), headers=tag(row))

    @described("replace_workflow", {200: answers.SavedWorkflow}, body=DOCUMENT, **EDIT)
    def put(self, request: Request, workflow: str) -> Response:
        """Make it what the document says; 412 when somebody else changed it first.

        The document may be the workflow as it was read.
        """
        row = self.find(request, workflow)
        document = writable(document_in(request), shape(row, request))
        return self._edit(request, row, document, services.replace_workflow)

    @described("change_workflow", {200: answers.SavedWorkflow}, body=PATCH, **EDIT)
    def patch(self, request: Request, workflow: str) -> Response:
        """Change what the body names; 412 as above."""
        row = self.find(request, workflow)
        return self._edit(request, row, document_in(request), services.patch_workflow)

    @described(
        "archive_workflow",
        {204: None},
        takes=("If-Match",),
        refuses={400: NO_TAG, 409: TAKEN, 412: CHANGED},
    )
    def delete(self, request: Request, workflow: str) -> Response:
        """Archive it: 204, also when it was archived before."""
        row = self.find(request, workflow)
        with told():
            services.archive(
                row,
                caller(request),
                expected_edit_count=expected(request, row.edit_count),
            )
        return Response(status=204)

    def _edit(
        self, request: Request, row: Workflow, document: Mapping[str, Any], verb: Any
    ) -> Response:
        with told():
            saved = verb(
                row,
                document,
                by=caller(request),
                expected_edit_count=expected(request, row.edit_count),
            )
        return Response(saved_shape(saved, request), headers=tag(saved.workflow))


class ValidateNew(APIView):
    """Checks a document that is to become a workflow."""

    scopes: ClassVar = {"POST": Scope.WORKFLOWS_READ}

    @described("validate_document", {200: answers.Verdict}, body=WHATEVER)
    def post(self, request: Request) -> Response:
        """`{"valid", "errors": [{"field", "issue"}], "warnings": [...]}`."""
        document = document_in(request)
        try:
            team = team_of(document, caller(request))
        except services.DocumentError as error:
            return _verdict(services.Checked(error.problems))
        return _checked(document, Workflow(team=team))


class ValidateChange(WorkflowView):
    """Checks a document that is to take a workflow's place, or its stored draft."""

    scopes: ClassVar = {"POST": Scope.WORKFLOWS_READ}

    @described("validate_change", {200: answers.Verdict}, body=WHATEVER)
    def post(self, request: Request, workflow: str) -> Response:
        """As above; an empty body asks about the stored draft."""
        row = self.find(request, workflow)
        document = document_in(request) or {"definition": row.definition}
        return _checked(document, row)


def document_in(request: Request) -> Mapping[str, Any]:
    """The body, which must be an object. Raises ApiError 400."""
    if not isinstance(request.data, Mapping):
        raise invalid([("", "Send a JSON object.")])
    return request.data


def team_of(document: Mapping[str, Any], by: User | ApiKey) -> Team | None:
    """The team of what the document makes. Raises DocumentError with all its faults."""
    given = document.get("team")
    # What is no text is told with the rest of the document.
    named = given if isinstance(given, str) else ""
    try:
        return services.team_for(by, named)
    except services.DocumentError as error:
        others = services.check_document(document)
        raise services.DocumentError([*others, *error.problems]) from None


def shape(row: Workflow, request: Request) -> dict[str, Any]:
    """The workflow as it is stored."""
    return shapes.workflow(row, row.triggers.order_by("id"), request)


def saved_shape(saved: services.SaveResult, request: Request) -> dict[str, Any]:
    """The workflow as it was saved, and what its author should know."""
    rows = saved.workflow.triggers.order_by("id")
    shown = shapes.workflow(saved.workflow, rows, request, saved.new_secrets)
    return {
        **shown,
        "warnings": listed(saved.warnings),
        "messages": listed(saved.messages),
        "problems": listed(saved.problems),
    }


def tag(row: Workflow) -> dict[str, str]:
    """The header with which a change says what it has seen."""
    return {"ETag": etag(row.edit_count)}


def _checked(document: Mapping[str, Any], workflow: Workflow) -> Response:
    return _verdict(services.validate_document(document, workflow))


def _verdict(found: services.Checked) -> Response:
    return Response(
        {
            "valid": not found.problems,
            "errors": listed(found.problems),
            "warnings": listed(found.warnings),
        }
    )
