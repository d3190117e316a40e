"""Why did this run? The explanation as JSON."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from automate.accounts.models.api_key import Scope
from automate.lib.rest.described import described
from automate.lib.rest.strict import StrictQuery
from runs.api import answers
from runs.api.base import RunView, visible_runs
from runs.services.explain import READS, explain
from runs.services.explained import as_data


class Explain(RunView):
    """What started a run, what let its event pass, and where it stands."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @described("explain_run", {200: answers.Explanation}, query=StrictQuery)
    def get(self, request: Request, run_id: UUID) -> Response:
        """`{"about", "id", "subject", "answer", "parts"}`, redacted."""
        StrictQuery.read_query(request)
        runs = visible_runs(request).select_related(*READS)
        run = self.find(runs.defer("output"), run_id)
        return Response(as_data(explain(run)))
