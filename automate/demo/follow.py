"""Following a run to its end, and telling what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from automate.lib import jsonio
from runs.models import DeliveryAttempt, Run, StepRun

LOOK = 0.1  # seconds between looks
TELL = 3.0  # seconds between words about waiting
BODY = 200  # characters of an answer that are shown


def until_final(run_id: UUID, seconds: float, tell: Callable[[str], None]) -> Run:
    """The run when it has ended, or as it is after so many seconds."""
    began = told = time.monotonic()
    while True:
        run = Run.objects.with_waiting().get(pk=run_id)
        now = time.monotonic()
        if run.is_final or now - began > seconds:
            return run
        if now - told > TELL:
            told = now
            tell(f"  {run.shown_status} for {now - began:.0f} s ...")
        time.sleep(LOOK)


def story(run: Run, base_url: str) -> dict[str, Any]:
    """What a person or program wants to know of a run, for JSON."""
    names = {
        node["id"]: node.get("name", "") for node in run.version.definition["nodes"]
    }
    attempts: dict[int, list[dict[str, Any]]] = {}
    for attempt in run.attempts.order_by("id"):
        attempts.setdefault(attempt.step_run_id, []).append(_attempt(attempt))
    return {
        "run_id": str(run.pk),
        "status": run.status,
        "duration_ms": _ms(run.created_at, run.finished_at),
        "error": run.error_message or None,
        "steps": [
            {**_step(step, names), "attempts": attempts.get(step.pk, [])}
            for step in run.step_runs.order_by("id")
        ],
        "admin_url": f"{base_url}/admin/runs/run/{run.pk}/change/",
        "api_url": f"{base_url}/api/v1/runs/{run.pk}",
    }


def _step(step: StepRun, names: dict[str, str]) -> dict[str, Any]:
    return {
        "id": step.node_id,
        "name": names.get(step.node_id) or step.node_id,
        "status": step.status,
        "duration_ms": _ms(step.started_at, step.finished_at),
        "error": step.error_message or None,
    }


def _attempt(attempt: DeliveryAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "request": f"{attempt.method} {attempt.url}",
        "status": attempt.response_status,
        "duration_ms": attempt.duration_ms,
        "answer": attempt.response_body,
        "error": attempt.error_message or None,
    }


def lines(told: dict[str, Any]) -> Iterator[str]:
    """The story for a terminal."""
    yield f"Run {told['run_id']}: {told['status']}, {_took(told)}"
    if told["error"]:
        yield f"  {told['error']}"
    width = max((len(step["name"]) for step in told["steps"]), default=0)
    for step in told["steps"]:
        yield f"  {step['name']:<{width}}  {step['status']:<9}  {_took(step)}"
        if step["error"]:
            yield f"    {step['error']}"
        for attempt in step["attempts"]:
            yield from _attempt_lines(attempt)
    yield f"  Admin: {told['admin_url']}"
    yield f"  API:   {told['api_url']}"


def _attempt_lines(attempt: dict[str, Any]) -> Iterator[str]:
    answer = attempt["status"] or attempt["error"]
    yield f"    {attempt['request']} -> {answer}, {_took(attempt)}"
    if attempt["answer"]:
        yield f"    answer: {attempt['answer'][:BODY]}"


def _took(what: dict[str, Any]) -> str:
    took = what["duration_ms"]
    if took is None:
        return "not finished"
    return f"{took / 1000:.1f} s" if took >= 10_000 else f"{took:.0f} ms"


def _ms(began: datetime | None, ended: datetime | None) -> int | None:
    if began is None or ended is None:
        return None
    return max(0, round((ended - began).total_seconds() * 1000))


def as_json(told: dict[str, Any]) -> str:
    """The story for programs."""
    return jsonio.dumps(told)
