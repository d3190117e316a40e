"""Many rows in one statement: INSERT and UPDATE with the columns that matter.

The ORM's bulk_create and bulk_update prepare every column of every row; at a few rows
a batch and hundreds of batches a second that was a third of a drain's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from django.db import connection, models


@cache
def _fields(
    model: type[models.Model], names: tuple[str, ...]
) -> tuple[models.Field[Any, Any], ...]:
    return tuple(model._meta.get_field(name) for name in names)  # type: ignore[misc]


def _values(row: models.Model, fields: Iterable[models.Field[Any, Any]]) -> list[Any]:
    return [
        field.get_db_prep_save(getattr(row, field.attname), connection)
        for field in fields
    ]


def insert(rows: Sequence[models.Model], names: tuple[str, ...]) -> None:
    """Insert these rows of one model with these columns and set their keys.

    Columns left out get their database default.
    """
    if not rows:
        return
    model = type(rows[0])
    fields = _fields(model, names)
    columns = ", ".join(f'"{field.column}"' for field in fields)
    marks = "(" + ", ".join(["%s"] * len(fields)) + ")"
    statement = (
        f'INSERT INTO "{model._meta.db_table}" ({columns}) '  # noqa: S608 - own names
        f"VALUES {', '.join([marks] * len(rows))} RETURNING id"
    )
    values = [value for row in rows for value in _values(row, fields)]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = key


def update(rows: Sequence[models.Model], names: tuple[str, ...]) -> None:
    """Set these columns of these rows of one model, found by their keys."""
    if not rows:
        return
    if connection.vendor == "sqlite":
        _update_each(rows, names)
    else:
        _update_postgresql(rows, names)


def _update_postgresql(rows: Sequence[models.Model], names: tuple[str, ...]) -> None:
    model = type(rows[0])
    fields = _fields(model, names)
    table = model._meta.db_table
    sets = ", ".join(f'"{field.column}" = v."{field.column}"' for field in fields)
    columns = ", ".join(f'"{field.column}"' for field in fields)
    # Types come from the first row alone; without a length, a cast cannot cut.
    casts = ", ".join(f"%s::{_type(field)}" for field in fields)
    first = f"(%s::bigint, {casts})"
    others = "(" + ", ".join(["%s"] * (len(fields) + 1)) + ")"
    marks = ", ".join([first] + [others] * (len(rows) - 1))
    statement = (
        f'UPDATE "{table}" t SET {sets} FROM (VALUES {marks}) '  # noqa: S608 - own names
        f"AS v (id, {columns}) WHERE t.id = v.id"
    )
    values = [value for row in rows for value in (row.pk, *_values(row, fields))]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _type(field: models.Field[Any, Any]) -> str:
    return (field.db_type(connection) or "text").split("(")[0]


def _update_each(rows: Sequence[models.Model], names: tuple[str, ...]) -> None:
    model = type(rows[0])
    fields = _fields(model, names)
    sets = ", ".join(f'"{field.column}" = %s' for field in fields)
    statement = f'UPDATE "{model._meta.db_table}" SET {sets} WHERE id = %s'  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, [[*_values(row, fields), row.pk] for row in rows])
