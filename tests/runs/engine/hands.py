"""Workers moved by hand, as the state machine needs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runs.engine.task import Result
from runs.models import Campaign, Job, Run, StepRun
from tests.runs.drains import Hand
from workflows.models import Trigger, Workflow, WorkflowVersion


def forget() -> None:
    """Nothing is left of the stories before."""
    Campaign.objects.all().delete()
    Run.objects.all().delete()
    Workflow.objects.update(published=None, status=Workflow.Status.DRAFT)
    for model in (Trigger, WorkflowVersion, Workflow):
        model._default_manager.all().delete()


def held_runs(hand: Hand) -> list[Run]:
    """The runs whose leases are this worker's."""
    mine = {item.token for item in hand.held.values()}
    return list(Run.objects.filter(job__lease_token__in=mine))


def record(hand: Hand, results: list[Result], free: int) -> None:
    """What comes from runs that are no longer this worker's changes no state."""
    tokens = {result.held.token for result in results}
    if Job.objects.filter(lease_token__in=tokens).exists():
        hand.record(results, free)
        return
    before = snapshot()
    hand.record(results, free)
    assert snapshot() == before, "a late result changed the state"


def snapshot() -> list[Any]:
    """All state of runs, jobs and steps; history is not part of it."""
    return list(_tables())


def _tables() -> Iterator[Any]:
    for model in (Run, Job, StepRun):
        yield list(model._default_manager.order_by("pk").values_list())
