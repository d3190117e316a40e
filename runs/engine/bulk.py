"""Many rows in one statement: INSERT and UPDATE with the columns that matter.

The ORM's bulk_create and bulk_update prepare every column of every row, and make a new
statement text for every number of rows; at a few rows a batch and hundreds of batches
a second that was a third of a drain's time. On PostgreSQL the rows travel as one JSON
parameter of a fixed statement, which the server prepares once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, models

from automate.lib.encryption import EncryptedField

Names = tuple[str, ...]


@cache
def _fields(
    model: type[models.Model], names: Names
) -> tuple[models.Field[Any, Any], ...]:
    return tuple(model._meta.get_field(name) for name in names)  # type: ignore[misc]


def insert(rows: Sequence[models.Model], names: Names) -> None:
    """Insert these rows of one model with these columns and set their keys.

    Columns left out get their database default.
    """
    if not rows:
        return
    write = _insert_each if connection.vendor == "sqlite" else _insert_postgresql
    keys = write(rows, names)
    for row, key in zip(rows, keys, strict=True):
        row.pk = key


def update(rows: Sequence[models.Model], names: Names) -> None:
    """Set these columns of these rows of one model, found by their keys."""
    if not rows:
        return
    write = _update_each if connection.vendor == "sqlite" else _update_postgresql
    write(rows, names)


# --- PostgreSQL: one statement, one parameter ---


@cache
def _statements(model: type[models.Model], names: Names) -> tuple[str, str]:
    fields = _fields(model, names)
    table = model._meta.db_table
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(f'v."{field.column}"' for field in fields)
    sets = ", ".join(f'"{field.column}" = v."{field.column}"' for field in fields)
    # Types without their length: a value that is too long is refused, not cut.
    types = ", ".join(
        f'"{field.column}" {(field.db_type(connection) or "text").split("(")[0]}'
        for field in fields
    )
    rows = f"json_to_recordset(%s::json) AS v (pk bigint, {types})"
    insertion = (
        f'INSERT INTO "{table}" ({columns}) SELECT {values} '  # noqa: S608 - own names
        f"FROM {rows} RETURNING id"
    )
    change = f'UPDATE "{table}" t SET {sets} FROM {rows} WHERE t.id = v.pk'  # noqa: S608
    return insertion, change


@cache
def _columns(
    model: type[models.Model], names: Names
) -> tuple[list[tuple[str, str]], list[tuple[str, EncryptedField]]]:
    """(column, attribute) of those that JSON takes as they are, and the encrypted."""
    plain, secret = [], []
    for field in _fields(model, names):
        if isinstance(field, EncryptedField):
            secret.append((field.column, field))
        else:
            plain.append((field.column, field.attname))
    return plain, secret


def _json(rows: Sequence[models.Model], names: Names) -> str:
    """Values as JSON that PostgreSQL's input functions of their columns read."""
    plain, secret = _columns(type(rows[0]), names)
    data = []
    for row in rows:
        item: dict[str, Any] = {"pk": row.pk}
        for column, attribute in plain:
            item[column] = getattr(row, attribute)
        for column, field in secret:
            value = getattr(row, field.attname)
            hidden = None if value is None else "\\x" + field.encrypted(value).hex()
            item[column] = hidden
        data.append(item)
    return json.dumps(data, allow_nan=False, default=_text)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no value of a column.")


def _insert_postgresql(rows: Sequence[models.Model], names: Names) -> list[int]:
    statement, _ = _statements(type(rows[0]), names)
    with connection.cursor() as cursor:
        cursor.execute(statement, [_json(rows, names)])
        return [key for (key,) in cursor.fetchall()]


def _update_postgresql(rows: Sequence[models.Model], names: Names) -> None:
    _, statement = _statements(type(rows[0]), names)
    with connection.cursor() as cursor:
        cursor.execute(statement, [_json(rows, names)])


# --- SQLite: a statement a row, in one process ---


def _values(row: models.Model, fields: Sequence[models.Field[Any, Any]]) -> list[Any]:
    return [
        field.get_db_prep_save(getattr(row, field.attname), connection)
        for field in fields
    ]


def _insert_each(rows: Sequence[models.Model], names: Names) -> list[int]:
    model = type(rows[0])
    fields = _fields(model, names)
    columns = ", ".join(f'"{field.column}"' for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    table = model._meta.db_table
    statement = f'INSERT INTO "{table}" ({columns}) VALUES ({marks}) RETURNING id'  # noqa: S608
    keys = []
    with connection.cursor() as cursor:
        for row in rows:
            cursor.execute(statement, _values(row, fields))
            keys.append(cursor.fetchone()[0])
    return keys


def _update_each(rows: Sequence[models.Model], names: Names) -> None:
    model = type(rows[0])
    fields = _fields(model, names)
    sets = ", ".join(f'"{field.column}" = %s' for field in fields)
    statement = f'UPDATE "{model._meta.db_table}" SET {sets} WHERE id = %s'  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, [[*_values(row, fields), row.pk] for row in rows])
