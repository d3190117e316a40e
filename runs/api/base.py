"""What the views of runs share: who sees which."""

from __future__ import annotations

from uuid import UUID

from rest_framework.request import Request
from rest_framework.views import APIView

from automate.accounts.api.callers import user_of
from automate.accounts.visibility import visible_to
from automate.lib.errors import Code
from automate.lib.rest import ApiError
from runs.models import Run
from runs.models.run import RunQuerySet
from workflows.models import Workflow

FEW = 100  # workflows that a query names
# What the short form shows: none of it is encrypted.
SHORT = (
    "id",
    "workflow_id",
    "workflow__slug",
    "version_id",
    "version__number",
    "trigger_id",
    "status",
    "error_class",
    "error_message",
    "error_fingerprint",
    "event_id",
    "replay_of_id",
    "parent_id",
    "item_index",
    "caused_by_id",
    "stopped_by",
    "created_at",
    "started_at",
    "finished_at",
)


def visible_runs(request: Request) -> RunQuerySet:
    """The runs of workflows that the caller may see."""
    return Run.objects.filter(visible_to(user_of(request), "workflow__"))


def short_runs(request: Request) -> RunQuerySet:
    """The same, with the columns of the short form and whether they wait."""
    runs = visible_runs(request).select_related("workflow", "version")
    return runs.only(*SHORT).with_waiting()


def listed_runs(request: Request) -> RunQuerySet:
    """The same for lists, quick also for somebody who sees little of a long history.

    One more query, but for superusers: with the workflows by name the database knows
    how few of the runs are theirs, and does not read all the others.
    """
    user, runs = user_of(request), short_runs(request)
    if user.is_superuser:
        return runs
    seen = Workflow.objects.filter(visible_to(user)).values_list("pk", flat=True)
    few = list(seen[: FEW + 1])
    return runs.filter(workflow__in=few) if len(few) <= FEW else runs


class RunView(APIView):
    """A view below one run's address."""

    def find(self, runs: RunQuerySet, run_id: UUID) -> Run:
        """The run. Raises ApiError 404, also for another team's."""
        run = runs.filter(pk=run_id).first()
        if run is None:
            raise ApiError(404, Code.NOT_FOUND, f"There is no run {run_id}.")
        return run
