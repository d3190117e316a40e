"""Failed runs that still need a person: one for each event, however often redriven."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, When
from django.db.models.functions import Coalesce

from runs.models import Run, StepRun
from runs.models.run import RunQuerySet
from runs.states import RunStatus, StepStatus

BROKEN = (RunStatus.FAILED, RunStatus.DEAD_LETTER)


def unrepaired(runs: RunQuerySet) -> RunQuerySet:
    """Those of these runs that failed and of which nothing later stands for the event.

    A redrive stands for the run whose place it took: while it is under way, when it
    succeeded, failed itself or was cancelled. A run that another one started is that
    one's affair, which is redriven as a whole, unless its step did not wait for it.
    """
    detached = StepRun.objects.filter(
        run=OuterRef("parent"),
        node_id=OuterRef("parent_node"),
        status=StepStatus.SUCCEEDED,
    )
    called = Q(Exists(detached), parent__isnull=False, item_index=None)
    place = {"parent": OuterRef("parent"), "parent_node": OuterRef("parent_node")}
    return runs.filter(
        Q(~Exists(taken_over(parent=None)), parent=None)
        | Q(~Exists(taken_over(**place)), called),
        status__in=BROKEN,
    )


def taken_over(**place: object) -> RunQuerySet:
    """Redrives of the outer run's event, in this place, that stand for it.

    Those that came later, or that succeeded, be they redrives of other runs of it.
    """
    root = Coalesce(OuterRef("root_run"), OuterRef("pk"))
    redrives = Run.objects.filter(root_run=root, replay_of__isnull=False, **place)
    later = Q(pk__gt=OuterRef("pk")) | Q(status=RunStatus.SUCCEEDED)
    return redrives.filter(later).exclude(pk=OuterRef("pk"))


def standing_for(run: Run) -> UUID | None:
    """The newest redrive that stands for this run's event in its place; one query."""
    return _standing(run).order_by("-pk").values_list("pk", flat=True).first()


def stands_for(run: Run) -> Run | None:
    """What became of this failed run's event: its redrive that succeeded, else the
    newest that stands for it, else None; one query, without what is encrypted.
    """
    best = Case(When(status=RunStatus.SUCCEEDED, then=0), default=1)
    rows = _standing(run).only("pk", "status", "finished_at")
    return rows.order_by(best, "-pk").first()


def _standing(run: Run) -> RunQuerySet:
    redrives = Run.objects.filter(
        Q(pk__gt=run.pk) | Q(status=RunStatus.SUCCEEDED),
        root_run=run.root_run_id or run.pk,
        replay_of__isnull=False,
        parent=None,
    )
    return redrives.exclude(pk=run.pk)
