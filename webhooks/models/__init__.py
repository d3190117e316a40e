"""What arrived at the edge and did not become a run."""

from webhooks.models.inbound_event import InboundEvent

__all__ = ["InboundEvent"]
