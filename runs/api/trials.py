"""Trying one step of a workflow: what it would do with these data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api.callers import caller
from automate.accounts.api.permissions import has_scope
from automate.accounts.models.api_key import Scope
from automate.lib.rest import ApiError, StrictSerializer, invalid
from automate.lib.rest.described import RULES, described
from runs import services
from runs.api import other_answers as answers
from runs.api.base import visible_runs
from runs.models import Run
from runs.services.trial import ROOTS, Trial, try_step
from workflows.api.base import find_workflow

OBJECTS = ("trigger", "steps", "variables")


class TrialBody(StrictSerializer):
    """`{"run_id", "data", "definition", "send"}`, all of which may be left out."""

    run_id = serializers.UUIDField(required=False, allow_null=True, default=None)
    # DRF's metaclass takes the field out; the serializer's own `data` stays.
    data = serializers.DictField(  # type: ignore[assignment]
        required=False, default=dict
    )
    definition = serializers.DictField(required=False)
    send = serializers.BooleanField(required=False, default=False)

    def validate_data(self, given: dict[str, Any]) -> dict[str, Any]:
        """An object of the names that expressions know."""
        for name, value in given.items():
            if name not in ROOTS:
                known = ", ".join(sorted(ROOTS))
                raise serializers.ValidationError({name: f"Unknown. Known: {known}."})
            if name in OBJECTS and not isinstance(value, Mapping):
                raise serializers.ValidationError({name: "This must be an object."})
        return given


class TryStep(APIView):
    """Renders a step of the draft against a stored run or given data.

    With `send` it does what the step does; that needs `runs:redrive` besides.
    """

    scopes: ClassVar = {"POST": Scope.WORKFLOWS_WRITE}

    @described(
        "try_step",
        {200: answers.Trial},
        body=TrialBody,
        needs=(Scope.RUNS_READ,),
        refuses={400: RULES, 409: "The step is not there, or not sound."},
    )
    def post(self, request: Request, workflow: str, step: str) -> Response:
        """What the step makes of it, redacted; nothing of it is stored."""
        found = find_workflow(request, workflow)
        body = TrialBody.read(request.data)
        _check_scopes(request, send=body["send"])
        run: Run | None = None
        if body["run_id"] is not None:
            rows = (
                visible_runs(request).filter(workflow=found).select_related("version")
            )
            run = rows.filter(pk=body["run_id"]).first()
            if run is None:
                raise invalid([("run_id", "There is no such run of this workflow.")])
        try:
            trial = try_step(
                found,
                step,
                by=caller(request),
                run=run,
                data=body["data"],
                definition=body.get("definition"),
                send=body["send"],
            )
        except services.TrialRefused as error:
            raise ApiError(409, error.code, error.message) from None
        return Response(_shown(trial))


def _check_scopes(request: Request, *, send: bool) -> None:
    """The data of runs are shown; what is sent is an effect like a redrive's."""
    for scope in (Scope.RUNS_READ, *([Scope.RUNS_REDRIVE] if send else [])):
        if not has_scope(request, scope):
            raise PermissionDenied(f"This needs the scope {scope} besides.")


def _shown(trial: Trial) -> dict[str, Any]:
    attempt = trial.attempt
    return {
        "status": trial.status,
        "input": trial.input,
        "request": trial.request,
        "output": trial.output,
        "port": trial.port or None,
        "error": {"class": trial.error.error_class, "message": trial.error.message}
        if trial.error
        else None,
        "response": {
            "status": attempt.response_status,
            "headers": attempt.response_headers,
            "body": attempt.response_body,
        }
        if attempt is not None and attempt.response_status is not None
        else None,
        "logs": list(trial.logs),
    }
