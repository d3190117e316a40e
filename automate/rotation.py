"""Putting every encrypted value under the first key of the ring.

Also those in the payload store: one that several rows share is encrypted anew once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db.models import BinaryField, Model
from django.db.models.functions import Substr

from automate.lib.database import repeat, write_transaction
from automate.lib.encryption import (
    EncryptedField,
    Unreadable,
    encrypted_fields,
    stored_bytes,
)
from automate.lib.key_ring import KEY_ID, BadToken, UnknownKey, get_ring, key_id_of
from automate.lib.payloads import PayloadError
from automate.lib.payloads import get_ring as get_stores
from automate.lib.sealed import MARK, elsewhere, marker

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ColumnReport:
    """What was done to one column; `unreadable` counts by key id."""

    column: str
    rotated: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)


def rotate(batch: int) -> Iterator[ColumnReport]:
    """Re-encrypt column by column, `batch` rows to a transaction; a report of each.

    Resumable: a value under the first key already is not touched again. One that
    cannot be read is left as it is, and one that somebody changes meanwhile is
    theirs.
    """
    for model, column in encrypted_fields():
        yield _rotate_column(model, column, batch)


def _rotate_column(
    model: type[Model], column: EncryptedField, batch: int
) -> ColumnReport:
    report = ColumnReport(column.context)
    _rotate_values(model, column, batch, report)
    _rotate_stored(model, column, batch, report)
    return report


def _rotate_values(
    model: type[Model], column: EncryptedField, batch: int, report: ColumnReport
) -> None:
    first = get_ring().key_ids[0].encode()
    rows = (
        model._base_manager.annotate(
            stored=stored_bytes(column.name),
            key_written_with=Substr(column.name, 1, KEY_ID, output_field=BinaryField()),
        )
        .filter(stored__isnull=False)
        .exclude(key_written_with=first)
        .exclude(key_written_with=MARK)
        .order_by("pk")
        .values_list("pk", "stored")
    )
    found = list(rows[:batch])
    while found:
        changes = list(_changes(found, column.context, report))
        report.rotated += repeat(partial(_write, model, column.name, changes))
        found = list(rows.filter(pk__gt=found[-1][0])[:batch])


def _changes(
    found: list[tuple[Any, Any]], context: str, report: ColumnReport
) -> Iterator[tuple[Any, bytes, bytes]]:
    """(primary key, before, after) of those that can be read."""
    ring = get_ring()
    for key, value in found:
        stored = bytes(value)
        try:
            fresh = ring.reencrypt(stored, context)
        except (UnknownKey, BadToken):
            report.unreadable[key_id_of(stored) or "unknown"] += 1
            continue
        if fresh is not None:
            yield key, stored, fresh


def _rotate_stored(
    model: type[Model], column: EncryptedField, batch: int, report: ColumnReport
) -> None:
    """Those in the payload store: first the payload, then what the row says of it."""
    first = get_ring().key_ids[0].encode()
    rows = (
        model._base_manager.annotate(
            stored=stored_bytes(column.name),
            mark=Substr(column.name, 1, len(MARK), output_field=BinaryField()),
            sealed_with=Substr(
                column.name, len(MARK) + 1, KEY_ID, output_field=BinaryField()
            ),
        )
        .filter(mark=MARK)
        .exclude(sealed_with=first)
        .order_by("pk")
        .values_list("pk", "stored")
    )
    found = list(rows[:batch])
    while found:
        changes = [
            (key, bytes(value), fresh)
            for key, value in found
            if (fresh := _restored(bytes(value), column, report)) is not None
        ]
        report.rotated += repeat(partial(_write, model, column.name, changes))
        found = list(rows.filter(pk__gt=found[-1][0])[:batch])


def _restored(stored: bytes, column: EncryptedField, report: ColumnReport) -> Any:
    """What the row shall say, its payload being under the first key now; or None."""
    value, stores = elsewhere(stored, column), get_stores()
    if value is None:
        report.unreadable["unknown"] += 1
        return None
    try:
        token = stores.get(value.store, value.reference)
        fresh = get_ring().reencrypt(token, column.context_at(value.reference))
        if fresh is not None:
            stores.rewrite(value.store, value.reference, fresh)
    except (UnknownKey, BadToken):
        report.unreadable[value.key_id] += 1
        return None
    except PayloadError as error:
        logger.warning("%s: %s", column.context, error)
        report.unreadable[value.key_id] += 1
        return None
    return marker(get_ring().key_ids[0], value.store, value.reference, value.size)


def _write(
    model: type[Model], name: str, changes: list[tuple[Any, bytes, bytes]]
) -> int:
    rows = model._base_manager.annotate(stored=stored_bytes(name))
    with write_transaction():
        return sum(
            rows.filter(pk=key, stored=before).update(**{name: Unreadable("", after)})
            for key, before, after in changes
        )
