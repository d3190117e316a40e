"""Rows of delivery attempts: what was sent and answered, or what nobody knows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from automate.lib.jsonio import storable
from automate.lib.redaction import Redactor
from runs.engine.instances import fresh
from runs.engine.versions import Node
from runs.models import DeliveryAttempt, StepRun
from runs.states import AttemptOutcome
from workflows.actions.outcomes import AttemptRecord


def attempt_row(
    run_id: Any, number: int, record: AttemptRecord, verify: int = 0
) -> DeliveryAttempt:
    """The row of an attempt, made storable; its step run is set when it is known."""
    return fresh(
        DeliveryAttempt,
        run_id=run_id,
        number=number,
        verify=verify,
        method=record.method[:10],
        url=storable(record.url),
        request_headers=storable(record.request_headers),
        request_body=storable(record.request_body),
        request_truncated=record.request_truncated,
        response_status=record.response_status,
        response_headers=storable(record.response_headers),
        response_body=storable(record.response_body),
        response_truncated=record.response_truncated,
        error_kind=record.error_kind[:30],
        error_message=storable(record.error_message),
        outcome=record.outcome,
        started_at=record.started_at,
        duration_ms=record.duration_ms,
    )


def unknown_attempt(
    run_id: Any, row: StepRun, node: Node, now: datetime
) -> DeliveryAttempt:
    """The attempt of a worker that vanished or stopped: nobody knows its outcome."""
    redactor = Redactor()
    method, url = node.action.target(node.config)
    return DeliveryAttempt(
        run_id=run_id,
        number=row.attempt,
        method=method[:10],
        url=redactor.url(url),
        error_kind="interrupted",
        error_message="The worker stopped before the answer was recorded.",
        outcome=AttemptOutcome.UNKNOWN,
        started_at=row.started_at or now,
        next_due_at=now,
    )
