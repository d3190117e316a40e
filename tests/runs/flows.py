"""Published workflows and accepted events, made with as little else as possible."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from runs.models import DeliveryAttempt, Job, Run, RunLog, StepRun
from runs.services import Accepted, Dedupe, Event, Target, accept
from workflows.models import Workflow, WorkflowVersion

_numbers = itertools.count(1)
NO_WAIT = {"initial": 0, "jitter": 0}


def node(key: str, kind: str, config: Any = None, **more: Any) -> dict[str, Any]:
    """A node of any kind."""
    return {"id": key, "type": kind, "config": config or {}, **more}


def given(key: str, **values: Any) -> dict[str, Any]:
    """A `set` step: its output are these values, rendered."""
    return node(key, "set", {"values": values})


def call(key: str, url: str, **more: Any) -> dict[str, Any]:
    """An `http_request` step that posts a small body; retries do not wait."""
    config = {"method": "POST", "url": url, "body": {"step": key}}
    config.update(more.pop("config", {}))
    more.setdefault("retry", NO_WAIT)
    more.setdefault("timeout", 5)
    return node(key, "http_request", config, **more)


def edge(source: str, target: str, on: str = "success") -> dict[str, str]:
    """A connection."""
    return {"from": source, "to": target, "on": on}


def line(*nodes: dict[str, Any]) -> list[dict[str, str]]:
    """The connections of these nodes one after another."""
    ids = [item["id"] for item in nodes]
    return [edge(a, b) for a, b in itertools.pairwise(ids)]


def loop(key: str, items: Any, *nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A `for_each` step over these steps, in a line unless connected."""
    config = {"items": items, "nodes": list(nodes), "connections": line(*nodes)}
    names = ("connections", "output", "concurrency", "on_item_error")
    config |= {name: more.pop(name) for name in names if name in more}
    return node(key, "for_each", config, **more)


def calling(key: str, workflow: str, given: Any = None, **more: Any) -> dict[str, Any]:
    """A `run_workflow` step."""
    config = {"workflow": workflow, "input": given, **more.pop("config", {})}
    return node(key, "run_workflow", config, **more)


def children(run: Run, key: str | None = None) -> list[Run]:
    """The runs that this one has started, in order."""
    rows = Run.objects.filter(parent=run).order_by("item_index", "id")
    return list(rows if key is None else rows.filter(parent_node=key))


def publish(
    *nodes: dict[str, Any],
    connections: Sequence[dict[str, str]] | None = None,
    workflow: Workflow | None = None,
    output: Any = None,
    variables: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Workflow:
    """A workflow whose next version is these nodes; in a line unless connected."""
    number = next(_numbers)
    if workflow is None:
        names = {"slug": f"test-{number}", "name": f"Test {number}"}
        workflow = Workflow.objects.create(**{**names, **fields})
    definition: dict[str, Any] = {
        "nodes": list(nodes),
        "connections": line(*nodes) if connections is None else list(connections),
        "variables": dict(variables or {}),
    }
    if output is not None:
        definition["output"] = output
    text = json.dumps(definition)
    workflow.published = WorkflowVersion.objects.create(
        workflow=workflow,
        number=workflow.versions.count() + 1,
        definition=definition,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    workflow.status = Workflow.Status.ACTIVE
    workflow.save()
    return workflow


def accepted(
    workflow: Workflow,
    payload: Any = None,
    *,
    dedupe: Dedupe | None = None,
    start: Sequence[str] = (),
    **changes: Any,
) -> Accepted:
    """What `accept` says to an event for the published version."""
    assert workflow.published_id is not None
    event = Event(
        body=b"" if payload is None else json.dumps(payload).encode(),
        content_type="application/json",
        **changes,
    )
    target = Target(
        workflow.pk, workflow.published_id, workflow.run_timeout, start=tuple(start)
    )
    return accept(target, event, dedupe)


def started(workflow: Workflow, payload: Any = None, **changes: Any) -> Run:
    """The run that an event became."""
    return Run.objects.get(pk=accepted(workflow, payload, **changes).run_id)


def many(workflow: Workflow, count: int) -> list[Run]:
    """So many runs of one workflow, in the order in which they were accepted."""
    ids = [accepted(workflow, {"n": number}).run_id for number in range(count)]
    found = Run.objects.in_bulk(ids)
    return [found[key] for key in ids]


def again(run: Run) -> Run:
    """The run as it is stored now."""
    return Run.objects.get(pk=run.pk)


def step(run: Run, key: str) -> StepRun:
    """One of the run's steps as it is stored now."""
    return StepRun.objects.get(run=run, node_id=key)


def steps(run: Run) -> dict[str, str]:
    """The status of each of the run's steps."""
    return dict(StepRun.objects.filter(run=run).values_list("node_id", "status"))


def attempts(run: Run, key: str | None = None) -> list[DeliveryAttempt]:
    """The run's attempts, oldest first."""
    rows = DeliveryAttempt.objects.filter(run=run).order_by("id")
    return list(rows if key is None else rows.filter(step_run__node_id=key))


def logged(run: Run) -> str:
    """All that was logged about the run."""
    return "\n".join(RunLog.objects.filter(run=run).values_list("message", flat=True))


def expire(*runs: Run) -> list[tuple[int, Any]]:
    """Let the leases of these runs have run out; returns them as `reap` takes them."""
    jobs = Job.objects.filter(run__in=runs, lease_token__isnull=False)
    jobs.update(lease_until=Now() - timedelta(hours=1))
    return list(jobs.values_list("pk", "lease_token"))


def make_due(*runs: Run) -> None:
    """Nothing that these runs wait for lies in the future any more."""
    past = Now() - timedelta(seconds=1)
    timed = StepRun.objects.filter(run__in=runs, due_at__isnull=False)
    timed.filter(status="waiting").update(due_at=past)
    Job.objects.filter(run__in=runs).update(due_at=past)
