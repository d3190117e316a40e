"""A workflow's runs, and a run with all that happened, under the names of logs."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.models.api_key import Scope
from automate.lib.rest import page
from automate.lib.rest.described import described, page_of
from automate.lib.rest.strict import StrictQuery
from runs.api import answers, shapes
from runs.api.base import RunView, short_runs, visible_runs
from runs.api.filters import RunQuery, apply
from runs.models import DeliveryAttempt, RunLog, StepRun
from workflows.api.base import find_workflow

MOST = 1_000  # attempts and lines of the log; the lists of the run have them all


class WorkflowRunQuery(RunQuery):
    """The filters of the list of runs but the workflow, which the address names."""

    workflow = None  # type: ignore[assignment]


class WorkflowRuns(APIView):
    """A workflow's runs, newest first."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described(
        "list_workflow_runs", {200: page_of(answers.ShortRun)}, query=WorkflowRunQuery
    )
    def get(self, request: Request, workflow: str) -> Response:
        """As the list of runs."""
        row = find_workflow(request, workflow)
        query = WorkflowRunQuery.read_query(request)
        runs = apply(short_runs(request).filter(workflow=row), query)
        found, further = page(runs, request, query)
        results = [shapes.short(run, request) for run in found]
        return Response({"results": results, **further})


class RunInFull(RunView):
    """One run with its steps, attempts and log lines."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described("get_run_in_full", {200: answers.RunInFull}, query=StrictQuery)
    def get(self, request: Request, run_id: UUID) -> Response:
        """The full form of a run, and `steps`, `attempts` and `logs`, oldest first."""
        StrictQuery.read_query(request)
        runs = visible_runs(request).select_related("workflow", "version")
        run = self.find(runs.with_waiting(), run_id)
        steps = list(StepRun.objects.filter(run=run).order_by("id"))
        known = shapes.Shown(request, run)
        shown = shapes.full(run, steps, request, known)
        attempts = DeliveryAttempt.objects.filter(run=run).order_by("id")[:MOST]
        by_id = {step.pk: step for step in steps}
        told = []
        for attempt in attempts:
            attempt.step_run = by_id[attempt.step_run_id]
            told.append(shapes.attempt(known.clean(attempt)))
        lines = RunLog.objects.filter(run=run).order_by("id")[:MOST]
        return Response(
            {
                **shown,
                "steps": [shapes.step(known.clean(step), known) for step in steps],
                "attempts": told,
                "logs": [shapes.log_line(known.clean(line)) for line in lines],
            }
        )
