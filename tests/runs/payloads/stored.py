"""What is in a store and in the columns, as it lies there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Model
from pytest_django import Settings

from automate.lib.encryption import stored_bytes
from automate.lib.payloads import PayloadStore
from automate.lib.sealed import MARK
from runs.models import PayloadUse, Run

BIG = "b" * 3_000


def all_in(store: PayloadStore) -> set[UUID]:
    """The references of everything that the store holds."""
    return set(store.references(datetime.now(UTC) + timedelta(seconds=5)))


def column(row: Model, name: str) -> bytes:
    """The bytes that a column holds."""
    rows = type(row)._base_manager.annotate(stored=stored_bytes(name))
    return bytes(rows.values_list("stored", flat=True).get(pk=row.pk))


def is_moved(row: Model, name: str) -> bool:
    """Whether the column refers to the store."""
    return column(row, name).startswith(MARK)


def uses(run: Run) -> set[UUID]:
    """The payloads that a run refers to."""
    return set(PayloadUse.objects.filter(run=run).values_list("reference", flat=True))


def take_away(
    store: PayloadStore, settings: Settings, folder: Path
) -> Callable[[], Any]:
    """Make an external store unreachable; the result brings it back."""
    if store.kind == "files":
        root, hidden = folder / "payloads", folder / "unmounted"
        root.rename(hidden)
        root.touch()  # a file in the folder's place: nothing can be written either

        def bring_back() -> None:
            root.unlink()
            hidden.rename(root)

        return bring_back
    before = list(settings.PAYLOAD_STORES)
    endpoint = "endpoint=http://127.0.0.1:9"
    settings.PAYLOAD_STORES = [f"s3://no:body@automate-tests/x?{endpoint}"]
    return lambda: setattr(settings, "PAYLOAD_STORES", before)
