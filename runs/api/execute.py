"""Start a workflow and, unless told otherwise, wait for what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.models.api_key import Scope
from automate.lib.rest import StrictSerializer
from automate.lib.rest.described import described
from automate.lib.rest.fields import AnyField
from runs import services
from runs.api import other_answers as answers
from runs.api import shapes, starting
from runs.api.base import visible_runs
from runs.models import Run
from runs.services.waiting import Awaited, accept_and_wait
from runs.states import RunStatus
from workflows.api.base import find_workflow
from workflows.triggers.webhook import DEFAULT_WAIT

RETRY_AFTER = 2  # seconds, for who was not kept waiting or not long enough


class ExecuteBody(StrictSerializer):
    """`{"input_data", "variables", "async_mode"}`, each of which may be left out."""

    input_data = AnyField(required=False, allow_null=True, default=dict)
    variables = serializers.DictField(required=False, default=dict)
    async_mode = serializers.BooleanField(required=False, default=False)

    @classmethod
    def of(cls, data: Any) -> dict[str, Any]:
        """The three; a body that names none of them is the input itself."""
        if isinstance(data, Mapping) and cls().fields.keys() & data.keys():
            return cls.read(data)
        return {"input_data": data, "variables": {}, "async_mode": False}


EXECUTE: Mapping[str, Any] = {
    "title": "Execution",
    "description": "What the run gets. A body that names none of these fields is the "
    "input itself.",
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "input_data": {"description": "`trigger.payload`; `{}` if left out."},
                "variables": {
                    "type": "object",
                    "description": "Instead of the version's own, by name.",
                },
                "async_mode": {
                    "type": "boolean",
                    "default": False,
                    "description": "Do not wait for the result.",
                },
            },
        },
        {"not": {"type": "object"}},
    ],
}


class Execute(APIView):
    """Starts the published version of a workflow."""

    scopes: ClassVar = {"POST": Scope.RUNS_EXECUTE}

    @described(
        "execute_workflow",
        {200: answers.Executed, 202: answers.Executed},
        body=EXECUTE,
        takes=("Idempotency-Key",),
        refuses=starting.REFUSES,
    )
    def post(self, request: Request, workflow: str) -> Response:
        """200 with the result, or 202 when it takes longer or nobody waits for it."""
        row = find_workflow(request, workflow)
        body = ExecuteBody.of(request.data)
        start = partial(
            starting.start,
            request,
            row,
            body["input_data"],
            body["variables"],
            ("execute", row.pk.hex),
        )
        with starting.told():
            if body["async_mode"]:
                awaited = Awaited(start(), None, 0)
            else:
                awaited = accept_and_wait(start, DEFAULT_WAIT)
        if awaited.answer is not None and awaited.answer.is_there:
            return Response(_result(request, awaited.answer))
        return _receipt(request, awaited)


def _result(request: Request, answer: services.Answer) -> dict[str, Any]:
    """What the run gave: its output, else what a `respond` step said."""
    runs = visible_runs(request).select_related("workflow", "version")
    run = runs.get(pk=answer.run_id)
    shown = shapes.Shown(request, run)
    shown.clean(run)
    result = answer.output
    if result is None and answer.said is not None:
        result = answer.said.get("body")
    return {
        **_ids(answer.run_id, answer.status),
        "result": shown(result),
        "error": shapes.error(run) if answer.has_ended else None,
    }


def _receipt(request: Request, awaited: Awaited) -> Response:
    run_id, status = awaited.accepted.run_id, str(RunStatus.QUEUED)
    if awaited.answer is not None:  # the time is up: what it does now
        run = Run.objects.with_waiting().only("status").get(pk=run_id)
        status = run.shown_status
    return Response(
        {**_ids(run_id, status), "result": None, "error": None},
        status=202,
        headers={
            **starting.location(request, run_id),
            "Retry-After": str(RETRY_AFTER),
        },
    )


def _ids(run_id: UUID, status: str) -> dict[str, Any]:
    return {"execution_id": run_id, "run_id": run_id, "status": status}
