"""Rows that tests need, each made with as little else as possible."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from django.utils import timezone

from automate.accounts.models import ApiKey, User
from automate.lib import jsonio
from runs.models import DeliveryAttempt, Job, Run, StepRun
from workflows.models import Workflow, WorkflowVersion

_numbers = itertools.count(1)


def make_user(email: str = "", **fields: Any) -> User:
    """A user who cannot sign in with a password."""
    return User.objects.create_user(email or f"u{next(_numbers)}@example.com", **fields)


def make_key(user: User | None = None, *scopes: str, **fields: Any) -> str:
    """The plain text of a new key; with `runs:read` unless scopes are given."""
    _key, plain = ApiKey.objects.issue(
        user=user or make_user(),
        name="test",
        scopes=list(scopes or ("runs:read",)),
        **fields,
    )
    return plain


def make_workflow(**fields: Any) -> Workflow:
    """An active workflow with one published version of no steps."""
    number = next(_numbers)
    fields = {"slug": f"flow-{number}", "name": f"Flow {number}", **fields}
    workflow = Workflow.objects.create(**fields)
    version = WorkflowVersion.objects.create(
        workflow=workflow, number=1, definition={"nodes": []}, sha256="0" * 64
    )
    workflow.published = version
    workflow.status = Workflow.Status.ACTIVE
    workflow.save()
    return workflow


def make_run(
    workflow: Workflow | None = None, payload: Any = None, **fields: Any
) -> Run:
    """A run of the published version, with the times that its status asks for."""
    workflow = workflow or make_workflow()
    now = timezone.now()
    status = fields.get("status", "queued")
    if status != "queued":
        fields.setdefault("started_at", now)
    if status not in ("queued", "running"):
        fields.setdefault("finished_at", now)
    if payload is not None:
        fields.setdefault("body", jsonio.dumps(payload).encode())
        fields.setdefault("content_type", "application/json")
    fields.setdefault("version", workflow.published)
    run = Run.objects.create(workflow=workflow, **fields)
    run.refresh_from_db()
    return run


def make_job(run: Run, *, due_in: float = 0, **fields: Any) -> Job:
    """The run's place in the queue, due in so many seconds."""
    due = timezone.now() + timedelta(seconds=due_in)
    return Job.objects.create(
        run=run, workflow_id=run.workflow_id, due_at=due, **fields
    )


def make_step(run: Run, node_id: str = "notify", **fields: Any) -> StepRun:
    """A step that succeeded at its first attempt, unless said otherwise."""
    fields = {
        "kind": "http_request",
        "status": "succeeded",
        "attempt": 1,
        "idempotency_key": f"key-{node_id}",
        "started_at": timezone.now(),
        **fields,
    }
    return StepRun.objects.create(run=run, node_id=node_id, **fields)


def make_attempt(step: StepRun, number: int = 1, **fields: Any) -> DeliveryAttempt:
    """An attempt that was answered 200, unless said otherwise."""
    fields = {
        "method": "POST",
        "url": "https://crm.example.com/hook",
        "request_headers": {"Content-Type": "application/json"},
        "request_body": "{}",
        "response_status": 200,
        "response_headers": {},
        "response_body": "ok",
        "outcome": "delivered",
        "started_at": timezone.now(),
        "duration_ms": 12,
        **fields,
    }
    return DeliveryAttempt.objects.create(
        run_id=step.run_id, step_run=step, number=number, **fields
    )
