"""Values too large for their row: put into a store, and got back.

The column of such a value holds a reference; the model's attribute is an `Elsewhere`
until somebody asks for the value with `opened`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from automate.lib.key_ring import BadToken, UnknownKey
from automate.lib.payloads.base import (
    PayloadError,
    PayloadMissing,
    PayloadStore,
    PayloadStoreAway,
    made_at,
)
from automate.lib.payloads.ring import Ring, get_ring, parse, register
from automate.lib.sealed import Elsewhere, Unreadable

__all__ = [
    "Elsewhere",
    "PayloadError",
    "PayloadMissing",
    "PayloadStore",
    "PayloadStoreAway",
    "Ring",
    "fetched",
    "get_ring",
    "made_at",
    "opened",
    "opened_all",
    "parse",
    "register",
]


def fetched(value: Elsewhere) -> Any:
    """The value itself.

    Raises PayloadMissing or PayloadStoreAway; it is `Unreadable` where no key fits.
    """
    return _unsealed(value, get_ring().get(value.store, value.reference))


def opened(value: Any) -> Any:
    """The value, for readers: got from the store where it is there.

    Where that fails it is `Unreadable`, which says why. Not to be called in a
    transaction, unless the database is the store.
    """
    return opened_all([value])[0]


def opened_all(values: Sequence[Any]) -> list[Any]:
    """Each value as `opened` gives it, got from its store together."""
    wanted: dict[str, set[UUID]] = defaultdict(set)
    for item in values:
        if isinstance(item, Elsewhere):
            wanted[item.store].add(item.reference)
    if not wanted:
        return list(values)
    found: dict[tuple[str, UUID], bytes | PayloadError] = {}
    for store, references in wanted.items():
        for reference, data in _all_of(store, references).items():
            found[store, reference] = data
    return [
        _opened(item, found[item.store, item.reference])
        if isinstance(item, Elsewhere)
        else item
        for item in values
    ]


def _all_of(store: str, references: set[UUID]) -> dict[UUID, bytes | PayloadError]:
    try:
        return dict(get_ring().get_many(store, references))
    except PayloadStoreAway as error:
        return dict.fromkeys(references, error)


def _opened(value: Elsewhere, data: bytes | PayloadError) -> Any:
    if isinstance(data, PayloadMissing):
        return _because(value, "missing from the payload store")
    if isinstance(data, PayloadError):
        return _because(value, "the payload store is away")
    return _unsealed(value, data)


def _unsealed(value: Elsewhere, data: bytes) -> Any:
    try:
        return value.column.unseal(data, value.reference)
    except UnknownKey as error:
        return replace(_because(value, ""), key_id=error.key_id)
    except BadToken:
        return _because(value, "damaged in the payload store")


def _because(value: Elsewhere, reason: str) -> Unreadable:
    return Unreadable(value.key_id, value.stored, reason)
