"""Looks at stored ciphertext: are its keys there, and is it under the first?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Model

from automate.lib.encryption import EncryptedField, encrypted_fields, stored_bytes
from automate.lib.key_ring import BadToken, UnknownKey, get_ring, key_id_of
from automate.lib.sealed import elsewhere

EACH_END = 20


@dataclass(slots=True)
class Sample:
    """A column's oldest and newest values: how many, by which keys, unreadable ones."""

    column: str
    looked_at: int = 0
    by_key: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)


def take(model: type[Model], column: EncryptedField) -> Sample:
    """A sample of one column. Raises django.db.Error."""
    ring = get_ring()
    sample = Sample(column.context)
    rows = model._base_manager.annotate(stored=stored_bytes(column.name))
    rows = rows.filter(stored__isnull=False)
    found = dict(rows.order_by("pk").values_list("pk", "stored")[:EACH_END])
    found.update(rows.order_by("-pk").values_list("pk", "stored")[:EACH_END])
    for value in found.values():
        stored = bytes(value)
        sample.looked_at += 1
        there = elsewhere(stored, column)
        if there is not None:  # its key is told without fetching it
            known = there.key_id in ring.key_ids
            (sample.by_key if known else sample.unreadable)[there.key_id] += 1
            continue
        key_id = key_id_of(stored) or "unknown"
        try:
            ring.decrypt(stored, column.context)
        except (UnknownKey, BadToken):
            sample.unreadable[key_id] += 1
        else:
            sample.by_key[key_id] += 1
    return sample


def take_all() -> Iterator[Sample]:
    """A sample of every encrypted column."""
    for model, column in encrypted_fields():
        yield take(model, column)


def unreadable_by_column() -> dict[str, set[str]]:
    """Column -> ids of the keys that are missing or do not fit."""
    return {
        sample.column: set(sample.unreadable)
        for sample in take_all()
        if sample.unreadable
    }
