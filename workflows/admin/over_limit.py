"""What a trigger's rate limit has turned away lately."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from automate.accounts.admin.html import pill
from workflows.admin.links import events_of
from workflows.models import Trigger

REASON = "rate_limited"


def lately_over_limit(trigger: Trigger) -> SafeString | str:
    """So many in the last hour and day, with a link; calm when there are none."""
    events: Any = trigger.inbound_events
    now = timezone.now()
    hour, day = now - timedelta(hours=1), now - timedelta(days=1)
    found = events.filter(reason=REASON, at__gte=day).aggregate(
        day=Sum("count"), hour=Sum("count", filter=Q(at__gte=hour))
    )
    if not found["day"]:
        return "None in the last day."
    told = f"{found['hour'] or 0} in the last hour, {found['day']} in the last day"
    shown = pill("failed", told) if found["hour"] else told
    return format_html("{} {}", shown, events_of(trigger, "events", reason=REASON))
