"""The few pieces of SQL in which PostgreSQL and SQLite differ for the engine."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

# The due time of a job that only somebody else's end can make due.
FAR = datetime(9999, 12, 31, tzinfo=UTC)

_SQLITE_NOW = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"


def is_sqlite() -> bool:
    """True on the embedded database."""
    return connection.vendor == "sqlite"


def now() -> str:
    """The database's present moment."""
    return _SQLITE_NOW if is_sqlite() else "now()"


def after(seconds: float) -> str:
    """The database's moment in so many seconds, below 0 the past one.

    A number of ours, not a parameter.
    """
    if is_sqlite():
        return f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', '{seconds:+.3f} seconds')"
    return f"now() + interval '{seconds:.3f} seconds'"


def among(keys: Collection[Any]) -> tuple[str, list[Any]]:
    """`= ANY(...)` or `IN (...)` for these keys, with its parameters."""
    if is_sqlite():
        return f"IN ({', '.join(['%s'] * len(keys))})", [key(item) for item in keys]
    return "= ANY(%s)", [list(keys)]


def moment(value: datetime) -> Any:
    """A moment as a parameter of raw SQL."""
    return connection.ops.adapt_datetimefield_value(value)


def key(value: Any) -> Any:
    """A key as this database stores it."""
    return value.hex if isinstance(value, UUID) and is_sqlite() else value


def run(statement: str, values: list[Any]) -> int:
    """Execute one statement; returns the number of rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
