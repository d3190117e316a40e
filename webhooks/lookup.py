"""Which trigger an address belongs to, in one query of exactly what is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from workflows.models import Trigger, Workflow, WorkflowVersion

LONGEST_ADDRESS = 200
PREFIX = "webhook/"

# One fixed text: building it with the ORM took a third of an answer's time.
_FIND = """
SELECT t.id, t.key, t.path, t.is_active, t.config, t.start, t.secret, t.previous_secret,
       t.previous_secret_expires_at, t.workflow_id, w.status, w.published_id,
       w.run_timeout, w.search_keys, w.priority, w.exclusive, t.secret_set_at,
       t.secret_used_at, t.previous_secret_used_at
FROM workflows_trigger t JOIN workflows_workflow w ON w.id = t.workflow_id
WHERE t.kind = 'webhook' AND (t.key = %s OR t.path = %s OR t.path = %s)"""
_FIELDS: tuple[Any, ...] = (
    tuple(
        Trigger._meta.get_field(name)
        for name in (
            "id",
            "key",
            "path",
            "is_active",
            "config",
            "start",
            "secret",
            "previous_secret",
            "previous_secret_expires_at",
            "workflow_id",
        )
    )
    + tuple(
        Workflow._meta.get_field(name)
        for name in (
            "status",
            "published_id",
            "run_timeout",
            "search_keys",
            "priority",
            "exclusive",
        )
    )
    + tuple(
        Trigger._meta.get_field(name)
        for name in ("secret_set_at", "secret_used_at", "previous_secret_used_at")
    )
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A webhook trigger and what its workflow says, as read before the body is used.

    `secret` and `previous_secret` are texts, None, or `Unreadable`.
    """

    trigger_id: UUID
    key: str
    path: str | None
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
    priority: int
    exclusive: str
    secret_set_at: datetime | None
    secret_used_at: datetime | None
    previous_secret_used_at: datetime | None

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

    A key goes before a path that was chosen to look like it. A path that begins with
    `webhook/` is found without that too: people who write `/webhook/abc` as a path
    post to `/webhook/abc`. Publishing refuses paths that only this tells apart.
    """
    address = address.lstrip("/")
    if not address or len(address) > LONGEST_ADDRESS or "\x00" in address:
        return None
    # This look-up is the connection's health check; a SELECT 1 before each event, as
    # CONN_HEALTH_CHECKS would send, costs a twentieth of the edge's rate.
    connection.health_check_done = True  # type: ignore[attr-defined]  # no stub
    try:
        entries = _look_up(address)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()  # the database was restarted: a new connection, once
        entries = _look_up(address)
    wanted = (("key", address), ("path", address), ("path", PREFIX + address))
    for name, value in wanted:
        for entry in entries:
            if getattr(entry, name) == value:
                return entry
    return None


def _look_up(address: str) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [address, address, PREFIX + address])
        return [_entry(row) for row in cursor.fetchall()]


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(
        *(convert(value) for value, convert in zip(row, _converters(), strict=True))
    )


@cache
def _converters() -> tuple[Callable[[Any], Any], ...]:
    """What the ORM would do to each column on this database."""

    def chain(steps: list[Callable[..., Any]]) -> Callable[[Any], Any]:
        def convert(value: Any) -> Any:
            for step in steps:
                value = step(value, None, connection)
            return value

        return convert

    found = []
    for item in _FIELDS:
        steps = [
            *connection.ops.get_db_converters(item.get_col("")),
            *item.get_db_converters(connection),
        ]
        found.append(chain(steps) if steps else _same)
    return tuple(found)


def _same(value: Any) -> Any:
    return value


def variables_of(version_id: UUID) -> Mapping[str, Any]:
    """The variables of a published version."""
    version = WorkflowVersion.objects.filter(pk=version_id)
    found = version.values_list("definition__variables", flat=True).first()
    return found if isinstance(found, dict) else {}
