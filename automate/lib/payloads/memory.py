"""Payloads in the memory of one process: for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from automate.lib.payloads.base import PayloadMissing, PayloadStore, made_at


class MemoryStore(PayloadStore):
    """Forgets everything with its process."""

    kind = "memory"

    def __init__(self) -> None:
        self._data: dict[UUID, bytes] = {}
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return "memory"

    def write(self, reference: UUID, data: bytes) -> None:
        """See PayloadStore."""
        with self._lock:
            self._data[reference] = bytes(data)

    def get(self, reference: UUID) -> bytes:
        """See PayloadStore."""
        with self._lock:
            found = self._data.get(reference)
        if found is None:
            raise PayloadMissing(f"payload {reference} is missing from memory")
        return found

    def delete(self, references: Iterable[UUID]) -> None:
        """See PayloadStore."""
        with self._lock:
            for item in references:
                self._data.pop(item, None)

    def references(self, before: datetime) -> Iterator[UUID]:
        """See PayloadStore."""
        with self._lock:
            found = list(self._data)
        yield from (item for item in found if made_at(item) < before)
