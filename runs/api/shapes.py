"""What the API shows of runs, steps, attempts and log lines (docs/api-contracts.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from uuid import UUID

from django.urls import get_script_prefix, reverse
from rest_framework.request import Request

from automate.accounts.api.permissions import has_scope
from automate.accounts.models.api_key import Scope
from automate.lib.encryption import is_readable
from automate.lib.given_secrets import given_secrets
from runs.addresses import events_url
from runs.models import DeliveryAttempt, Run, RunLog, StepRun
from runs.payloads import open_rows
from runs.redaction import clean, redactor_for
from runs.services import trigger_payload

NOBODY = "00000000-0000-0000-0000-000000000000"


class Shown:
    """A run's data for one caller: exact with `payloads:read`, else redacted.

    What cannot be decrypted is shown as "unreadable (key abc)".
    """

    def __init__(self, request: Request, run: Run) -> None:
        self._exact = has_scope(request, Scope.PAYLOADS_READ)
        self._redactor = redactor_for(run)

    def __call__(self, value: Any) -> Any:
        """What an encrypted column holds."""
        if not is_readable(value):
            return str(value)
        return value if self._exact else self._redactor.data(value)

    def know(self, outputs: Iterable[Any]) -> None:
        """Hide from now on what these outputs name a secret, wherever it stands."""
        if not self._exact:
            readable = [item for item in outputs if is_readable(item)]
            self._redactor.learn(*given_secrets(readable))

    def clean(self, row: Any) -> Any:
        """A row whose texts were redacted when they were stored; for nobody exact."""
        return clean(row, self._redactor)


def short(run: Run, request: Request) -> dict[str, Any]:
    """A run as lists show it: nothing that is encrypted."""
    return {
        "id": run.pk,
        "execution_id": run.pk,
        "workflow_id": run.workflow_id,
        "workflow": run.workflow.slug,
        "version": run.version.number,
        "trigger_id": run.trigger_id,
        "event_id": run.event_id or None,
        "replay_of": run.replay_of_id,
        "parent_id": run.parent_id,
        "item_index": run.item_index,
        "caused_by": run.caused_by_id,
        "stopped_by": run.stopped_by,
        "status": run.shown_status,
        "error_message": run.error_message or None,
        "error": error(run),
        "created_at": run.created_at,
        "started_at": run.started_at,
        "completed_at": run.finished_at,
        "links": links(run, request),
    }


def full(
    run: Run,
    steps: Iterable[StepRun],
    request: Request,
    shown: Shown | None = None,
) -> dict[str, Any]:
    """A run with what came in, what came out and each step's output.

    Several names for one thing serve clients that were written for other systems.
    `shown` is that of a caller who shows more of the run.
    """
    steps = list(steps)
    open_rows([run, *steps])
    shown = shown or Shown(request, run)
    shown.clean(run)
    shown.know(step.output for step in steps)
    readable = is_readable(run.body)
    payload = shown(trigger_payload(run) if readable else run.body)
    output = shown(run.output)
    return {
        **short(run, request),
        "payload": payload,
        "input_data": payload,
        "variables": shown(run.variables),
        "output": output,
        "result": output,
        "output_data": output,
        "results": {
            step.node_id: shown(step.output)
            for step in steps
            if step.output is not None
        },
    }


def error(source: Run | StepRun) -> dict[str, Any] | None:
    """`{"class", "message", "fingerprint"}` (a run's), or None."""
    if not (source.error_class or source.error_message):
        return None
    found = {"class": source.error_class, "message": source.error_message}
    if isinstance(source, Run):
        found["fingerprint"] = source.error_fingerprint
    return found


def links(run: Run, request: Request) -> dict[str, str]:
    """Where to read on and what can be done."""
    root, run_id = request.build_absolute_uri("/")[:-1], str(run.pk)
    other = "cancel" if run.is_final else "redrive"
    found = {
        name: root + path.replace(NOBODY, run_id)
        for name, path in _paths(get_script_prefix()).items()
        if name != other
    }
    return {**found, "events": events_url(run.pk)}


@cache
def _paths(_prefix: str) -> dict[str, str]:
    """The addresses below a run's, with NOBODY for its id.

    Django takes 0.1 ms for each: with five a run that was half the time of a list.
    """
    views = {
        "self": "run-detail",
        "steps": "run-steps",
        "attempts": "run-attempts",
        "logs": "run-logs",
        "redrive": "run-redrive",
        "cancel": "run-cancel",
    }
    return {
        name: reverse(f"api:{view}", args=(UUID(NOBODY),))
        for name, view in views.items()
    }


def step(row: StepRun, shown: Shown) -> dict[str, Any]:
    """A step of a run; its input was redacted when it was stored."""
    return {
        "id": row.node_id,
        "type": row.kind,
        "status": row.status,
        "attempt": row.attempt,
        "port": row.port or None,
        "input": row.input,
        "output": shown(row.output),
        "error_message": row.error_message or None,
        "error": error(row),
        "idempotency_key": row.idempotency_key or None,
        "due_at": row.due_at,
        "waiting_for": row.waiting_for or None,
        "started_at": row.started_at,
        "completed_at": row.finished_at,
    }


def attempt(row: DeliveryAttempt) -> dict[str, Any]:
    """One HTTP request and its answer, redacted and capped when they were stored."""
    return {
        "id": row.pk,
        "step": row.step_run.node_id,
        "number": row.number,
        "verify": row.verify or None,
        "outcome": row.outcome,
        "request": {
            "method": row.method,
            "url": row.url,
            "headers": row.request_headers,
            "body": row.request_body,
            "truncated": row.request_truncated,
        },
        "response": _response(row),
        "error": {"kind": row.error_kind, "message": row.error_message}
        if row.error_kind
        else None,
        "started_at": row.started_at,
        "duration_ms": row.duration_ms,
        "next_due_at": row.next_due_at,
    }


def _response(row: DeliveryAttempt) -> Mapping[str, Any] | None:
    if row.response_status is None:
        return None
    return {
        "status": row.response_status,
        "headers": row.response_headers,
        "body": row.response_body,
        "truncated": row.response_truncated,
    }


def log_line(row: RunLog) -> dict[str, Any]:
    """One line of a run's log."""
    return {
        "id": row.pk,
        "at": row.at,
        "level": row.level,
        "step": row.node_id or None,
        "message": row.message,
        "metadata": row.metadata,
    }
