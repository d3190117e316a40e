"""The list of runs and one run."""

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
from runs.api.base import RunView, listed_runs, visible_runs
from runs.api.filters import RunQuery, apply
from runs.models import StepRun
from workflows.api.base import NO_SUCH, workflow_in_query


class RunList(APIView):
    """Runs, newest first."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described(
        "list_runs",
        {200: page_of(answers.ShortRun)},
        query=RunQuery,
        refuses={400: NO_SUCH},
    )
    def get(self, request: Request) -> Response:
        """`{"results": [short run], "next", "next_cursor"}`."""
        query = RunQuery.read_query(request)
        if "workflow" in query:
            query["workflow"] = str(workflow_in_query(request, query["workflow"]))
        found, further = page(apply(listed_runs(request), query), request, query)
        results = [shapes.short(run, request) for run in found]
        return Response({"results": results, **further})


class RunDetail(RunView):
    """One run with its data."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described("get_run", {200: answers.Run}, query=StrictQuery)
    def get(self, request: Request, run_id: UUID) -> Response:
        """The full form of a run."""
        StrictQuery.read_query(request)
        runs = visible_runs(request).select_related("workflow", "version")
        run = self.find(runs.with_waiting(), run_id)
        steps = StepRun.objects.filter(run=run).only("run_id", "node_id", "output")
        return Response(shapes.full(run, steps.order_by("id"), request))
