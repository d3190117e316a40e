"""The admin pages of the edge: what was turned away."""

from __future__ import annotations

from django.contrib.admin import AdminSite

from webhooks.admin.inbound_event import InboundEventAdmin
from webhooks.models import InboundEvent


def register(site: AdminSite) -> None:
    """Put this package's pages on a site."""
    site.register(InboundEvent, InboundEventAdmin)
