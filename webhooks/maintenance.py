"""How long turned-away events are kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet

from runs.maintenance import purges, site_cutoff
from webhooks.models import InboundEvent


@purges("inbound_events")
def old_inbound_events(now: datetime) -> Iterator[QuerySet[InboundEvent]]:
    """Those past the site's retention."""
    yield InboundEvent.objects.filter(at__lt=site_cutoff(now))
