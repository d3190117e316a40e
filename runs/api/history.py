"""What a run did: its steps, the requests they sent, its log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from automate.accounts.models.api_key import Scope
from automate.lib.rest import ListQuery, page
from automate.lib.rest.described import Described, page_of
from runs.api import answers, shapes
from runs.api.base import RunView, visible_runs
from runs.models import DeliveryAttempt, Run, RunLog, StepRun
from runs.payloads import open_rows

# What tells which secrets a run may use, and which its event brought.
NAMING = (
    "id", "root_run_id", "parent_id", "workflow__team_id", "version__definition",
    "body", "content_type", "headers", "query", "variables", "hidden",
)  # fmt: skip


class HistoryView(RunView, ABC):
    """A list below a run, oldest first, by pages."""

    scopes: ClassVar = {"GET": Scope.RUNS_READ}

    @abstractmethod
    def rows(self, run: Run) -> QuerySet[Any]:
        """The rows of this run."""

    @abstractmethod
    def shape(self, row: Any, shown: shapes.Shown) -> dict[str, Any]:
        """What is shown of a row."""

    def get(self, request: Request, run_id: UUID) -> Response:
        """`{"results", "next", "next_cursor"}`."""
        query = ListQuery.read_query(request)
        runs = visible_runs(request).select_related("workflow", "version")
        run = self.find(runs.only(*NAMING), run_id)
        found, further = page(self.rows(run), request, query, newest_first=False)
        shown = shapes.Shown(request, run)
        open_rows(found)
        shown.know(row.output for row in found if isinstance(row, StepRun))
        results = [self.shape(shown.clean(row), shown) for row in found]
        return Response({"results": results, **further})


class StepList(HistoryView):
    """The steps that have begun, in the order in which they did."""

    described: ClassVar = {
        "GET": Described("list_steps", {200: page_of(answers.Step)}, query=ListQuery)
    }

    def rows(self, run: Run) -> QuerySet[StepRun]:
        """Step runs."""
        return StepRun.objects.filter(run=run)

    def shape(self, row: StepRun, shown: shapes.Shown) -> dict[str, Any]:
        """A step."""
        return shapes.step(row, shown)


class AttemptList(HistoryView):
    """The HTTP requests that the steps sent, or tried to."""

    described: ClassVar = {
        "GET": Described(
            "list_attempts", {200: page_of(answers.Attempt)}, query=ListQuery
        )
    }

    def rows(self, run: Run) -> QuerySet[DeliveryAttempt]:
        """Delivery attempts with their step's id."""
        attempts = DeliveryAttempt.objects.filter(run=run)
        # Of the step only what is shown: its output is encrypted.
        unshown = ("step_run__output", "step_run__input")
        return attempts.select_related("step_run").defer(*unshown)

    def shape(self, row: DeliveryAttempt, _shown: shapes.Shown) -> dict[str, Any]:
        """An attempt."""
        return shapes.attempt(row)


class LogList(HistoryView):
    """What the engine and the `log` step said."""

    described: ClassVar = {
        "GET": Described(
            "list_log_lines", {200: page_of(answers.LogLine)}, query=ListQuery
        )
    }

    def rows(self, run: Run) -> QuerySet[RunLog]:
        """Log lines."""
        return RunLog.objects.filter(run=run)

    def shape(self, row: RunLog, _shown: shapes.Shown) -> dict[str, Any]:
        """A log line."""
        return shapes.log_line(row)
