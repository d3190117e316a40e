"""Every list of the API: what it asks the database does not grow with its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from automate.accounts.models import ApiKey, User
from runs.models import Campaign, CampaignRun, Run, RunLog, StepRun, WaitToken
from tests.admin_world import asking_run, broken_run, flow
from tests.makers import (
    make_attempt,
    make_key,
    make_run,
    make_step,
    make_user,
    make_workflow,
)
from tests.walk.test_programs import path, views
from tests.walk.world import World
from workflows.models import Connection, Secret, Trigger, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db
# Whoever asks, and their rights, in a transaction's begin and end; then the list.
MOST = 8


class Lists:
    """A workflow and a run whose lists grow."""

    def __init__(self) -> None:
        self.boss: User = make_user(is_superuser=True)
        self.key = make_key(self.boss, "admin")
        self.flow: Workflow = flow("growing", by=self.boss)
        self.run: Run = broken_run(self.flow)
        self.asking: Run = asking_run(self.flow)
        self.campaign = Campaign.objects.create(filter={}, created_by=self.boss)
        self.step = StepRun.objects.get(run=self.run)

    def get(self, path: str) -> tuple[int, int]:
        """(rows, queries) of a list."""
        headers = {"x-api-key": self.key}
        with CaptureQueriesContext(connection) as queries:
            answer: Any = Client().get(f"/api/v1/{path}", headers=headers)
        assert answer.status_code == 200, answer.content
        return len(answer.json()["results"]), len(queries)

    def wait(self, number: int) -> WaitToken:
        """One more question of the run that asks."""
        first = WaitToken.objects.filter(run=self.asking).earliest("pk")
        step = StepRun.objects.get(run=self.asking, node_id=first.node_id)
        step.pk, step.node_id = None, f"ask-{number}"
        step.save(force_insert=True)
        first.pk, first.node_id = None, f"ask-{number}"
        first.save(force_insert=True)
        return first


Grow = Callable[[Lists, int], object]
GROWING: dict[str, tuple[str, Grow]] = {
    "api:key-list": (
        "api-keys",
        lambda of, n: ApiKey.objects.issue(make_user(), f"{n}", ["admin"]),
    ),
    "api:workflow-list": ("workflows", lambda of, n: flow(f"flow-{n}", by=make_user())),
    "api:workflow-versions": (
        "workflows/growing/versions",
        lambda of, n: WorkflowVersion.objects.create(
            workflow=of.flow,
            number=n + 100,
            definition={"nodes": []},
            sha256="0" * 64,
            created_by=make_user(),
        ),
    ),
    "api:workflow-logs": ("workflows/growing/logs", lambda of, n: broken_run(of.flow)),
    "api:secret-list": (
        "secrets",
        lambda of, n: Secret.objects.create(name=f"S{n}", value="x"),
    ),
    "api:connection-list": (
        "connections",
        lambda of, n: Connection.objects.create(
            name=f"c{n}",
            kind="bearer",
            base_url="https://a.example.com",
            credentials={"token": "x"},
        ),
    ),
    "api:webhook-list": (
        "webhooks",
        lambda of, n: Trigger.objects.create(
            workflow=make_workflow(), kind="webhook", path=f"h{n}"
        ),
    ),
    "api:run-list": ("runs", lambda of, n: broken_run(flow(f"run-{n}"))),
    "api:run-steps": ("runs/{run}/steps", lambda of, n: make_step(of.run, f"s{n}")),
    "api:run-attempts": (
        "runs/{run}/attempts",
        lambda of, n: make_attempt(of.step, n + 100),
    ),
    "api:run-logs": (
        "runs/{run}/logs",
        lambda of, n: RunLog.objects.create(run=of.run, message="m"),
    ),
    "api:wait-list": ("waits", lambda of, n: asking_run(flow(f"ask-{n}"))),
    "api:run-waits": ("runs/{asking}/waits", Lists.wait),
    "api:campaign-list": (
        "campaigns",
        lambda of, n: Campaign.objects.create(created_by=make_user()),
    ),
    "api:campaign-runs": (
        "campaigns/{campaign}/runs",
        lambda of, n: CampaignRun.objects.create(
            campaign=of.campaign, run=make_run(of.flow, status="failed")
        ),
    ),
}


@pytest.mark.parametrize("name", GROWING)
def test_a_list_costs_the_same_however_long(name: str) -> None:
    lists = Lists()
    where, grow = GROWING[name]
    where = where.format(
        run=lists.run.pk, asking=lists.asking.pk, campaign=lists.campaign.pk
    )
    lists.get(where)  # notes the key's use
    grow(lists, 0)
    few, cost = lists.get(where)
    for number in range(1, 9):
        grow(lists, number)
    many, more = lists.get(where)

    assert (many - few, more) == (8, cost)
    assert cost <= MOST


def is_list(answer: Any) -> bool:
    """Not one run, whose results are an object, by step."""
    return isinstance(answer, dict) and isinstance(answer.get("results"), list)


def test_there_is_no_other_list(world: World) -> None:
    boss = make_user(is_superuser=True)
    headers = {"x-api-key": make_key(boss, "admin")}
    found = set()
    for name, view, taken in views():
        if hasattr(view, "get"):
            answer: Any = Client().get(
                path(world, name, taken, theirs=False), headers=headers
            )
            if answer.status_code == 200 and is_list(answer.json()):
                found.add(name)
    assert found == set(GROWING)
