"""Runs that failed, and campaigns that redrive them, step by step."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from runs.models import Campaign, CampaignRun, Job, Run
from runs.services.campaigning import advance
from tests.runs.drains import drained
from tests.runs.flows import again, given, many, publish

BROKEN = "{{ trigger.payload.no_such_key }}"


def failed_runs(count: int, **fields: Any) -> list[Run]:
    """Runs that failed, of a workflow whose next version would succeed."""
    flow = publish(given("a", x=BROKEN), **fields)
    runs = many(flow, count)
    drained()
    publish(given("a", x=1), workflow=flow)
    return [again(run) for run in runs]


def go_on(times: int = 50) -> None:
    """So many looks, as if the clock had moved on between them."""
    for _ in range(times):
        Campaign.objects.update(next_at=Now())
        advance()


def redriven(campaign: Campaign) -> int:
    return CampaignRun.objects.filter(campaign=campaign, fresh__isnull=False).count()


def again_at(campaign: Campaign) -> Any:
    campaign.refresh_from_db()
    return campaign.next_at


def end(runs: QuerySet[Run], status: str) -> None:
    """As a drain would, without what it does for that."""
    ids = list(runs.values_list("pk", flat=True))
    Job.objects.filter(run__in=ids).delete()
    Run.objects.filter(pk__in=ids).update(status=status, finished_at=Now())
