"""Which steps wait for an answer now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from automate.lib.encryption import Unreadable
from runs.models import StepRun, WaitToken
from runs.states import StepStatus


def open_waits(rows: QuerySet[WaitToken]) -> QuerySet[WaitToken]:
    """Those whose step waits at this moment."""
    waits = StepRun.objects.filter(
        run=OuterRef("run"),
        node_id=OuterRef("node_id"),
        status=StepStatus.WAITING,
        waiting_for="signal",
    )
    return rows.filter(Exists(waits), decision="", expires_at__gt=timezone.now())


def shown_details(token: WaitToken) -> Mapping[str, Any]:
    """What is asked; says so when it cannot be read."""
    details: Any = token.details
    if isinstance(details, Unreadable):
        return {"message": str(details)}
    return details if isinstance(details, Mapping) else {}
