"""Start a workflow and, unless told otherwise, wait for what it gives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, cast
from uuid import UUID

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.models import ApiKey, User
from automate.accounts.models.api_key import Scope
from automate.accounts.visibility import visible_to
from automate.lib.errors import Code
from automate.lib.rest import ApiError, StrictSerializer, invalid
from runs import services
from runs.api import shapes
from runs.api.base import caller, visible_runs
from runs.services.waiting import Awaited, accept_and_wait
from runs.states import RunStatus
from workflows.models import Workflow
from workflows.triggers.webhook import DEFAULT_WAIT

RETRY_AFTER = 2  # seconds, for who was not kept waiting or not long enough


class AnyField(serializers.Field[Any, Any, Any, Any]):
    """Any JSON value, as it is."""

    def to_internal_value(self, data: Any) -> Any:
        """The value."""
        return data


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


class Execute(APIView):
    """Starts the published version of a workflow."""

    scopes: ClassVar = {"POST": Scope.RUNS_EXECUTE}

    def post(self, request: Request, workflow: str) -> Response:
        """200 with the result, or 202 when it takes longer or nobody waits for it."""
        body = ExecuteBody.of(request.data)
        start = partial(_start, request, _find(request, workflow), body)
        try:
            if body["async_mode"]:
                awaited = Awaited(start(None), None, 0)
            else:
                awaited = accept_and_wait(start, DEFAULT_WAIT)
        except services.BadVariables as error:
            pairs = [problem.partition(": ")[::2] for problem in error.problems]
            raise invalid(pairs) from None
        except services.NotRunnable as error:
            raise ApiError(409, error.code, error.message) from None
        except services.AnswerUnreadable as error:
            raise ApiError(500, error.code, error.message) from None
        if awaited.answer is not None and awaited.answer.is_there:
            return Response(_result(request, awaited.answer))
        return _receipt(request, awaited)


def _find(request: Request, name: str) -> Workflow:
    """The workflow of this UUID or slug. Raises ApiError 404, also for others' ones."""
    seen = Workflow.objects.filter(visible_to(cast("User", request.user)))
    try:
        found = seen.filter(pk=UUID(name))
    except ValueError:
        found = seen.filter(slug=name)
    workflow = found.select_related("published").first()
    if workflow is None:
        raise ApiError(404, Code.NOT_FOUND, f"There is no workflow {name}.")
    return workflow


def _start(
    request: Request, workflow: Workflow, body: Mapping[str, Any], run_id: UUID | None
) -> services.Accepted:
    accepted = services.execute_manually(
        workflow,
        body["input_data"],
        caller(request),
        body["variables"],
        dedupe=_dedupe(request, workflow),
        awaited_as=run_id,
    )
    if accepted.conflict:
        raise ApiError(
            422,
            Code.IDEMPOTENCY_KEY_REUSED,
            "This Idempotency-Key came before with another body.",
        )
    return accepted


def _dedupe(request: Request, workflow: Workflow) -> services.Dedupe | None:
    """By the Idempotency-Key, among what this API key started of this workflow."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return None
    text = json.dumps(request.data, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    who = cast("ApiKey", request.auth)
    return services.Dedupe(f"execute:{who.pk.hex}:{workflow.pk.hex}", key, digest)


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
    run_id, answer = awaited.accepted.run_id, awaited.answer
    status = answer.status if answer else RunStatus.QUEUED
    path = reverse("api:run-detail", args=(run_id,))
    return Response(
        {**_ids(run_id, status), "result": None, "error": None},
        status=202,
        headers={
            "Location": request.build_absolute_uri(path),
            "Retry-After": str(RETRY_AFTER),
        },
    )


def _ids(run_id: UUID, status: RunStatus) -> dict[str, Any]:
    return {"execution_id": run_id, "run_id": run_id, "status": status}
