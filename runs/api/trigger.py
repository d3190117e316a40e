"""Start a workflow, or a document as one, and do not wait."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api.callers import caller, user_of
from automate.accounts.api.permissions import has_scope
from automate.accounts.models.api_key import Scope
from automate.accounts.visibility import visible_to
from automate.lib.rest import StrictSerializer, invalid
from automate.lib.rest.described import described
from automate.lib.rest.fields import AnyField
from runs.api import other_answers as answers
from runs.api import starting
from workflows import services
from workflows.api.base import FOREIGN, UNSOUND, find_workflow, listed
from workflows.api.base import told as workflow_told
from workflows.api.documents import SUBMITTED
from workflows.api.workflows import document_in, team_of
from workflows.services.transactions import unit_of_work

INPUTS = ("payload", "input_data")


class TriggerBody(StrictSerializer):
    """`{"workflow_id", "payload", "variables"}`; the first is a UUID or slug."""

    workflow_id = serializers.CharField(max_length=100)
    payload = AnyField(required=False, allow_null=True, default=dict)
    variables = serializers.DictField(required=False, default=dict)


class Trigger(APIView):
    """Starts the published version of a workflow."""

    scopes: ClassVar = {"POST": Scope.RUNS_EXECUTE}

    @described(
        "trigger_workflow",
        {202: answers.Triggered},
        body=TriggerBody,
        sends=("Location",),
        takes=("Idempotency-Key",),
        refuses={**starting.REFUSES, 404: "There is no such workflow."},
    )
    def post(self, request: Request) -> Response:
        """202 `{"run_id", "execution_id", "status": "triggered"}`."""
        body = TriggerBody.read(request.data)
        workflow = find_workflow(request, body["workflow_id"])
        with starting.told():
            accepted = starting.start(
                request, workflow, body["payload"], body["variables"], ("trigger",)
            )
        return _started(request, accepted.run_id)


class Submit(APIView):
    """A document without more: it is published as a workflow and started."""

    scopes: ClassVar = {"POST": Scope.WORKFLOWS_WRITE}

    @described(
        "submit_workflow",
        {202: answers.Submitted},
        body=SUBMITTED,
        sends=("Location",),
        takes=("Idempotency-Key",),
        needs=(Scope.RUNS_EXECUTE,),
        refuses={**starting.REFUSES, 400: UNSOUND, 403: FOREIGN},
    )
    def post(self, request: Request) -> Response:
        """202 `{"workflow_id", "version", "run_id", "execution_id", "status"}`.

        The same document again is the same version. `payload` (or `input_data`) beside
        it is what the run gets.
        """
        if not has_scope(request, Scope.RUNS_EXECUTE):
            text = f"This needs a key with the scope {Scope.RUNS_EXECUTE} too."
            raise PermissionDenied(text)
        document = dict(document_in(request))
        payload = _payload(document)
        by = caller(request)
        # All or nothing: what cannot be started is not stored either.
        with workflow_told(), starting.told(), unit_of_work():
            saved = services.submit(
                document,
                by=by,
                team=team_of(document, by),
                visible=visible_to(user_of(request)),
            )
            workflow = saved.workflow
            accepted = starting.start(request, workflow, payload, {}, ("workflow",))
        assert saved.version is not None  # noqa: S101 - it could be started
        return _started(
            request,
            accepted.run_id,
            workflow_id=workflow.pk,
            slug=workflow.slug,
            version=saved.version.number,
            secrets={str(pk): text for pk, text in saved.new_secrets.items()},
            warnings=listed(saved.warnings),
            messages=listed(saved.messages),
        )


def _payload(document: dict[str, Any]) -> Any:
    """Taken out of the document; `{}` when nothing is there.

    Raises ApiError 400 where both names stand for different data.
    """
    given = [document.pop(name) for name in INPUTS if name in document]
    if len(given) > 1 and given[0] != given[1]:
        raise invalid([(INPUTS[1], f'is given already as "{INPUTS[0]}", and differs')])
    return given[0] if given else {}


def _started(request: Request, run_id: UUID, **more: Any) -> Response:
    return Response(
        {"run_id": run_id, "execution_id": run_id, "status": "triggered", **more},
        status=202,
        headers=starting.location(request, run_id),
    )
