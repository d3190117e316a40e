"""Bodies and outputs that are too large for their row: moved out, shared, collected.

A payload is put before the transaction that refers to it, so that nothing is awaited
while one is open; where the database is the store, it is part of that transaction.
What is not referred to in the end is collected after a day.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from automate.lib.encryption import EncryptedField
from automate.lib.ids import uuid7
from automate.lib.key_ring import get_ring
from automate.lib.payloads import (
    Elsewhere,
    PayloadMissing,
    PayloadStore,
    PayloadStoreAway,
    opened_all,
)
from automate.lib.payloads import get_ring as get_stores
from automate.lib.sealed import elsewhere, marker
from runs.models import Payload, PayloadUse, Run, StepRun
from runs.payload_rows import insert

logger = logging.getLogger(__name__)

ORPHAN_AFTER = timedelta(days=1)
_PAGE = 500
_MOST_BYTES_A_CHARACTER = 6  # of JSON: \u0000
_ATOM = 8  # about as many characters has a number
_TREES = (dict, list, tuple)


def _column(model: type[Any], name: str) -> EncryptedField:
    return cast(EncryptedField, model._meta.get_field(name))


BODY, OUTPUT = _column(Run, "body"), _column(Run, "output")
STEP_OUTPUT = _column(StepRun, "output")
_MAY_BE_ELSEWHERE: dict[type[Model], tuple[str, ...]] = {
    Run: ("body", "output"),
    StepRun: ("output",),
}


class DatabaseStore(PayloadStore):
    """Rows of their own, written and deleted in the caller's transaction.

    A database that is away raises what Django raises.
    """

    kind = "database"
    external = False

    def __str__(self) -> str:
        return "the database"

    def write(self, reference: UUID, data: bytes) -> None:
        """See PayloadStore."""
        Payload.objects.update_or_create(pk=reference, defaults={"data": data})

    def get(self, reference: UUID) -> bytes:
        """See PayloadStore."""
        found = self.get_many([reference])[reference]
        if isinstance(found, PayloadMissing):
            raise found
        return found

    def get_many(
        self, references: Sequence[UUID]
    ) -> dict[UUID, bytes | PayloadMissing]:
        """See PayloadStore; one query."""
        rows = Payload.objects.filter(pk__in=references).values_list("pk", "data")
        found: dict[UUID, bytes | PayloadMissing] = {
            item: PayloadMissing(f"payload {item} is missing from {self}")
            for item in references
        }
        found.update((key, bytes(data)) for key, data in rows)
        return found

    def delete(self, references: Iterable[UUID]) -> None:
        """See PayloadStore."""
        for page in pages(references):
            Payload.objects.filter(pk__in=page).delete()

    def references(self, before: datetime) -> Iterator[UUID]:
        """See PayloadStore."""
        end = UUID(int=int(before.timestamp() * 1000) << 80)
        rows = Payload.objects.filter(pk__lt=end).order_by("pk")
        after = UUID(int=0)
        while found := list(
            rows.filter(pk__gt=after).values_list("pk", flat=True)[:_PAGE]
        ):
            yield from found
            after = found[-1]


def pages(references: Iterable[UUID]) -> Iterator[list[UUID]]:
    """The references in lists that one statement can name."""
    rest = iter(references)
    while page := list(islice(rest, _PAGE)):
        yield page


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that leaves its row: what the column stores instead.

    `token` is what the transaction has to store besides, where the database is the
    payload store; elsewhere it is there already, and this is empty.
    """

    value: Elsewhere
    token: bytes = field(default=b"", repr=False)


def keep(column: EncryptedField, plain: bytes) -> Kept:
    """Move these bytes out of the column's row; durable where the store is external.

    Raises PayloadStoreAway. Touches no database: `refer` writes the rest.
    """
    store, reference = get_stores().writer, uuid7()
    token = column.seal(plain, reference)
    if store.external:
        store.write(reference, token)
    stored = marker(get_ring().key_ids[0], store.kind, reference, len(plain))
    value = elsewhere(stored, column)
    assert value is not None  # noqa: S101 - it was made a line ago
    return Kept(value, b"" if store.external else token)


def keep_body(body: bytes) -> Kept | None:
    """The body moved out, when it is above AUTOMATE_INLINE_LIMIT. As `keep`."""
    return keep(BODY, body) if len(body) > settings.INLINE_LIMIT else None


def keep_output(column: EncryptedField, output: Any) -> Kept | None:
    """The output moved out, when its JSON is too large for its row. As `keep`.

    Raises ValueError or TypeError for what JSON has no form of.
    """
    if not is_large(output):
        return None
    plain = column.plain_bytes(output)
    return keep(column, plain) if len(plain) > settings.INLINE_OUTPUT_LIMIT else None


def is_large(output: Any) -> bool:
    """False when the output's JSON surely fits its row; cheap for what is small."""
    left = settings.INLINE_OUTPUT_LIMIT // _MOST_BYTES_A_CHARACTER
    trees = [output]
    while trees:
        value = trees.pop()
        if type(value) is str:
            left -= len(value)
            continue
        if type(value) is dict:
            left -= sum(map(len, value))
            value = value.values()
        elif type(value) is not list and type(value) is not tuple:
            continue
        left -= len(value) * _ATOM
        for item in value:
            if type(item) is str:
                left -= len(item)
            elif type(item) in _TREES:
                trees.append(item)
        if left < 0:
            break
    return bool(left < 0)


def open_rows(rows: Iterable[Model]) -> None:
    """Have in these runs and step runs what the payload store keeps of them.

    For readers; what cannot be had is `Unreadable`, which says why. Loads no deferred
    column. Not within a transaction, unless the database is the store.
    """
    places = [
        (row, name)
        for row in rows
        for name in _MAY_BE_ELSEWHERE.get(type(row), ())
        if isinstance(row.__dict__.get(name), Elsewhere)
    ]
    values = opened_all([getattr(row, name) for row, name in places])
    for (row, name), value in zip(places, values, strict=True):
        setattr(row, name, value)


def refer(kept: Iterable[tuple[UUID, Kept]]) -> None:
    """These runs refer to these payloads, which stay as long as one of them does.

    Part of the transaction that writes the columns.
    """
    pairs = list(kept)
    insert([(item.value.reference, item.token) for _, item in pairs if item.token])
    _use((run_id, item.value) for run_id, item in pairs)


def share(run_id: UUID, values: Iterable[Any]) -> None:
    """This run takes these columns over from another one, unread.

    Part of the transaction that writes them.
    """
    _use((run_id, value) for value in values if isinstance(value, Elsewhere))


def _use(pairs: Iterable[tuple[UUID, Elsewhere]]) -> None:
    rows = {
        (run_id, value.reference): PayloadUse(
            run_id=run_id, reference=value.reference, store=value.store
        )
        for run_id, value in pairs
    }
    if rows:
        PayloadUse.objects.bulk_create(rows.values())


def discard(kept: Kept) -> None:
    """Nobody will refer to what was kept; outside a transaction."""
    if not kept.token:
        _delete_outside(kept.value.store, [kept.value.reference])


def used_by(run_ids: Sequence[UUID]) -> set[tuple[str, UUID]]:
    """Store and reference of each payload of these runs."""
    uses = PayloadUse.objects.filter(run__in=run_ids)
    return set(uses.values_list("store", "reference"))


def release(payloads: Iterable[tuple[str, UUID]]) -> None:
    """Delete those of these payloads that no run refers to any more.

    Part of the transaction that deleted runs; what lies outside the database goes
    after its commit.
    """
    by_store: dict[str, set[UUID]] = {}
    for store, reference in payloads:
        by_store.setdefault(store, set()).add(reference)
    for store, references in by_store.items():
        unused = sorted(references - _used(references))
        if store == DatabaseStore.kind:
            DatabaseStore().delete(unused)
        elif unused:
            transaction.on_commit(partial(_delete_outside, store, unused))


def _used(references: Iterable[UUID]) -> set[UUID]:
    uses = PayloadUse.objects.filter(reference__in=list(references))
    return set(uses.values_list("reference", flat=True))


def _delete_outside(store: str, references: Sequence[UUID]) -> None:
    try:
        get_stores().delete(store, references)
    except PayloadStoreAway as error:
        logger.warning(
            "%d payload(s) stay for the next purge: %s", len(references), error
        )


def collect(now: datetime, *, dry_run: bool = False) -> int:
    """Delete what was put a day ago or earlier and no run refers to; how many.

    Whoever died between a put and its commit left one. A store that is away is left
    for the next time.
    """
    total = 0
    for store in get_stores():
        try:
            for page in pages(store.references(now - ORPHAN_AFTER)):
                orphans = sorted(set(page) - _used(page))
                if orphans and not dry_run:
                    store.delete(orphans)
                total += len(orphans)
        except PayloadStoreAway as error:
            logger.warning("orphaned payloads are not looked for: %s", error)
    return total
