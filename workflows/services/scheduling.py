"""When triggers that go by the clock fire next: `Trigger.next_fire_at`."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db.models.functions import Now

from workflows.models import Trigger, Workflow
from workflows.triggers.base import all_kinds

logger = logging.getLogger(__name__)


def follow(workflow: Workflow) -> None:
    """Set the next moment of triggers that have none, clear it of those that rest.

    Called whenever a workflow or a trigger begins or ceases to take events, in the
    transaction of that; whoever changes a trigger's config clears its moment before.
    """
    fires = workflow.status == Workflow.Status.ACTIVE and workflow.published_id
    rows = list(Trigger.objects.filter(workflow=workflow))
    now = _now(workflow)
    for row in rows:
        wanted = _wanted(row, now) if fires and row.is_active else None
        if wanted != row.next_fire_at:
            same = Trigger.objects.filter(pk=row.pk, next_fire_at=row.next_fire_at)
            same.update(next_fire_at=wanted)


def _wanted(row: Trigger, now: datetime) -> datetime | None:
    kind = all_kinds().get(row.kind)
    if kind is None or row.next_fire_at is not None:
        return row.next_fire_at
    try:
        return kind.next_fire(row.config, now)
    except Exception:
        logger.exception("%s (%s) does not say when it fires next", row, row.pk)
        return None


def _now(workflow: Workflow) -> datetime:
    """The database's time, by which triggers fire."""
    now: datetime = Workflow.objects.values_list(Now(), flat=True).get(pk=workflow.pk)
    return now
