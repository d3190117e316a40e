"""Cancel a run, redrive a run."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from automate.accounts.api.callers import caller
from automate.accounts.models.api_key import Scope
from automate.lib.errors import Code
from automate.lib.rest import ApiError, StrictSerializer
from automate.lib.rest.described import described
from runs import services
from runs.api import answers, shapes
from runs.api.base import RunView, short_runs
from runs.states import RunStatus

LONGEST_START = 105  # step:ID, with an id of 100 characters


class CancelBody(StrictSerializer):
    """`{"reason"}`, which may be left out."""

    reason = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=500
    )


class Cancel(RunView):
    """Ends a run that has not ended."""

    scopes: ClassVar = {"POST": Scope.RUNS_EXECUTE}

    @described(
        "cancel_run",
        {200: answers.ShortRun},
        body=CancelBody,
        refuses={409: "It has ended otherwise."},
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """The run afterwards; 409 when it had ended otherwise."""
        body = CancelBody.read(request.data)
        run = self.find(short_runs(request), run_id)
        services.cancel(run, by=caller(request), reason=body["reason"])
        run = self.find(short_runs(request), run_id)
        if run.is_final and run.status != RunStatus.CANCELLED:
            raise ApiError(409, Code.CONFLICT, f"The run has ended: {run.status}.")
        return Response(shapes.short(run, request))


class RedriveBody(StrictSerializer):
    """`{"from": "start" | "failed" | a step's id, "version": "pinned" | "latest"}`."""

    version = serializers.ChoiceField(["pinned", "latest"], default="pinned")

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """With `from`, which Python keeps for itself."""
        start = serializers.CharField(default="start", max_length=LONGEST_START)
        return {"from": start, **super().get_fields()}


class Redrive(RunView):
    """Starts a new run with what the old one had received."""

    scopes: ClassVar = {"POST": Scope.RUNS_REDRIVE}

    @described(
        "redrive_run",
        {202: answers.NewRun},
        body=RedriveBody,
        sends=("Location",),
        refuses={409: "It cannot be redriven, or not now."},
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """202 with the new run; 409 when this one cannot be redriven."""
        body = RedriveBody.read(request.data)
        run = self.find(short_runs(request), run_id)
        try:
            new = services.redrive(
                run, by=caller(request), start=body["from"], version=body["version"]
            )
        except services.RunServiceError as error:
            raise ApiError(409, error.code, error.message) from None
        new = self.find(short_runs(request), new.pk)
        shown = shapes.short(new, request)
        headers = {"Location": shown["links"]["self"]}
        return Response({**shown, "run_id": new.pk}, status=202, headers=headers)
