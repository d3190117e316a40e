"""What a benchmark runs on: a fresh database, workflows, backlogs. Uses the ORM."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from benchmarks.sender import SECRET


@dataclass(frozen=True, slots=True)
class Hook:
    """A published workflow with a webhook trigger."""

    workflow_id: UUID
    version_id: UUID
    path: str


def set_up(environment: dict[str, str]) -> None:
    """Make this process use the benchmark's database and migrate it."""
    # The ORM is called between the awaits of one task, never beside others.
    unsafe = {"DJANGO_ALLOW_ASYNC_UNSAFE": "1"}
    module = {"DJANGO_SETTINGS_MODULE": "automate.settings"}
    os.environ.update({**environment, **unsafe, **module})
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def hook(name: str, urls: list[str], *, limit: int | None = None) -> Hook:
    """A line of HTTP steps, one a URL, behind a GitHub-signed webhook."""
    nodes = [
        {
            "id": f"step-{index}",
            "type": "http_request",
            "name": f"Step {index}",
            "config": {"url": url, "body": {"n": "{{ trigger.payload.n }}"}},
        }
        for index, url in enumerate(urls, 1)
    ]
    return published(name, nodes, limit=limit)


def waited(name: str, seconds: float) -> Hook:
    """Responds after so many seconds; its senders wait half as long again."""
    nodes = [
        {"id": "pause", "type": "delay", "config": {"duration": seconds}},
        {
            "id": "answer",
            "type": "respond",
            "config": {"body": {"n": "{{ trigger.payload.n }}"}},
        },
    ]
    return published(name, nodes, response_mode="wait", response_timeout=seconds * 1.5)


def published(
    name: str,
    nodes: list[dict[str, Any]],
    *,
    limit: int | None = None,
    connections: list[dict[str, str]] | None = None,
    **config: Any,
) -> Hook:
    """These steps behind a webhook with this config; in a line unless connected."""
    from workflows.models import Trigger, Workflow, WorkflowVersion

    if connections is None:
        connections = [
            {"from": before["id"], "to": after["id"], "on": "success"}
            for before, after in pairwise(nodes)
        ]
    definition: dict[str, Any] = {"nodes": nodes, "connections": connections}
    workflow = Workflow.objects.create(
        slug=name, name=name, definition=definition, max_concurrent_runs=limit
    )
    version = WorkflowVersion.objects.create(
        workflow=workflow, number=1, definition=definition, sha256=name
    )
    workflow.published, workflow.status = version, Workflow.Status.ACTIVE
    workflow.save()
    trigger = Trigger.objects.create(
        workflow=workflow,
        kind="webhook",
        config={"scheme": "github", **config},
        secret=SECRET.decode(),
    )
    return Hook(workflow.pk, version.pk, f"/v1/webhooks/{trigger.key}")


def backlog(target: Hook, count: int, *, due_in: timedelta) -> None:
    """`count` queued runs of this workflow, due after `due_in`."""
    from django.utils import timezone

    from automate.lib.ids import uuid7
    from runs.models import Job, Run

    now = timezone.now()
    for begin in range(0, count, 2000):
        runs = [
            Run(
                id=uuid7(),
                workflow_id=target.workflow_id,
                version_id=target.version_id,
                body=b'{"n":-1}',
                content_type="application/json",
                created_at=now,
                deadline=now + timedelta(days=7),
            )
            for _ in range(min(2000, count - begin))
        ]
        Run.objects.bulk_create(runs)
        Job.objects.bulk_create(
            Job(run_id=run.pk, workflow_id=target.workflow_id, due_at=now + due_in)
            for run in runs
        )


def settle() -> None:
    """Do what autovacuum would soon do, so that nobody pays for the seeding."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")


def unfinished(target: Hook) -> int:
    """Runs of this workflow that have not ended."""
    from runs.models import Job

    return Job.objects.filter(workflow_id=target.workflow_id).count()


def durations(target: Hook) -> list[float]:
    """Seconds from accept to end of this workflow's ended runs, in their order."""
    from runs.models import Run

    runs = Run.objects.filter(workflow_id=target.workflow_id, finished_at__isnull=False)
    rows = runs.order_by("id").values_list("created_at", "finished_at")
    return [(end - begin).total_seconds() for begin, end in rows if end is not None]


def ends(target: Hook) -> tuple[int, int, float]:
    """(succeeded, others, last end as Unix seconds) of this workflow's runs."""
    from django.db.models import Count, Max, Q

    from runs.models import Run

    found = Run.objects.filter(workflow_id=target.workflow_id).aggregate(
        good=Count("pk", filter=Q(status="succeeded")),
        all=Count("pk"),
        last=Max("finished_at"),
    )
    last = found["last"].timestamp() if found["last"] else 0.0
    return found["good"], found["all"] - found["good"], last
