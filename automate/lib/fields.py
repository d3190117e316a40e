"""A JSON column that keeps what was written as it was written."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler


class ExactJSONField(models.JSONField):
    """JSON whose keys keep their order, on PostgreSQL as on SQLite.

    PostgreSQL's jsonb sorts keys by length, so a definition came back from its editor,
    and a body left for its receiver, in another order than its author's. The type
    json stores the text; it cannot be indexed, and none of these columns is.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """`json` where Django would say `jsonb`."""
        usual = super().db_type(connection)
        return "json" if usual == "jsonb" else usual

    def select_format(
        self, compiler: SQLCompiler, sql: str, params: Any
    ) -> tuple[str, Any]:
        """As text, which is decoded once, here; the driver would decode json itself."""
        if compiler.connection.vendor == "postgresql":
            return f"{sql}::text", params
        return sql, params

    def from_db_value(
        self, value: Any, expression: Any, connection: BaseDatabaseWrapper
    ) -> Any:
        """The value; one that raw SQL selected comes decoded already."""
        if value is not None and not isinstance(value, str):
            return value
        return super().from_db_value(value, expression, connection)

    def get_db_prep_value(
        self,
        value: Any,
        connection: BaseDatabaseWrapper,
        prepared: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> Any:
        """The value as the driver's json, which is not sorted on its way."""
        adapted = super().get_db_prep_value(value, connection, prepared)
        if connection.vendor != "postgresql":
            return adapted
        from psycopg.types.json import Json, Jsonb

        if isinstance(adapted, Jsonb):
            return Json(adapted.obj, dumps=adapted.dumps)
        return adapted
