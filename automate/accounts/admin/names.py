"""What the lists of the admin are called: one name in the top bar, titles and paths."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.utils.text import capfirst

# The places of the top bar, in this order; the keys are names of models.
MAIN: Mapping[str, str] = MappingProxyType(
    {
        "Workflow": "Workflows",
        "Trigger": "Triggers",
        "Run": "Runs",
        "WaitToken": "Decisions",
        "DeliveryAttempt": "Requests",
        "Campaign": "Campaigns",
        "InboundEvent": "Turned away",
        "Secret": "Secrets",
        "Connection": "Connections",
        "ApiKey": "API keys",
        "Worker": "Workers",
        "AuditEntry": "Audit",
    }
)
OTHERS: Mapping[str, str] = MappingProxyType({"CampaignRun": "Runs of campaigns"})


def list_name(meta: Any) -> str:
    """The name of a model's list, from the model's `_meta`."""
    name = meta.object_name
    plural = str(capfirst(meta.verbose_name_plural))
    return MAIN.get(name) or OTHERS.get(name) or plural
