"""Which trigger an address belongs to, in one query of exactly what is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from workflows.models import Trigger, WorkflowVersion

LONGEST_ADDRESS = 200

_COLUMNS = (
    "id",
    "key",
    "is_active",
    "config",
    "start",
    "secret",
    "previous_secret",
    "previous_secret_expires_at",
    "workflow_id",
    "workflow__status",
    "workflow__published_id",
    "workflow__run_timeout",
    "workflow__search_keys",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A webhook trigger and what its workflow says, as read before the body is used.

    `secret` and `previous_secret` are texts, None, or `Unreadable`.
    """

    trigger_id: UUID
    key: str
    is_active: bool
    config: Mapping[str, Any]
    start: Sequence[str]
    secret: Any = field(repr=False)
    previous_secret: Any = field(repr=False)
    previous_secret_expires_at: datetime | None
    workflow_id: UUID
    workflow_status: str
    version_id: UUID | None
    run_timeout: int
    search_keys: Mapping[str, Any]

    def secrets(self, now: datetime) -> list[bytes]:
        """The signing secrets that count at `now`: the current one comes first."""
        found = [self.secret]
        expires = self.previous_secret_expires_at
        if expires is not None and now < expires:
            found.append(self.previous_secret)
        return [text.encode() for text in found if isinstance(text, str) and text]

    def max_body(self, default: int) -> int:
        """The largest body that it takes, in bytes."""
        return int(self.config.get("max_body") or default)


def find(address: str) -> Entry | None:
    """The webhook trigger with this key or path; a leading slash is ignored.

    A key goes before a path that was chosen to look like it.
    """
    address = address.lstrip("/")
    if not address or len(address) > LONGEST_ADDRESS or "\x00" in address:
        return None
    rows = Trigger.objects.filter(
        Q(key=address) | Q(path=address), kind="webhook"
    ).order_by()
    entries = [Entry(*row) for row in rows.values_list(*_COLUMNS)]
    by_key = [entry for entry in entries if entry.key == address]
    return next(iter(by_key or entries), None)


def variables_of(version_id: UUID) -> Mapping[str, Any]:
    """The variables of a published version."""
    version = WorkflowVersion.objects.filter(pk=version_id)
    found = version.values_list("definition__variables", flat=True).first()
    return found if isinstance(found, dict) else {}
