"""The payload stores of this site: the first is written to, all are read."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from automate.lib.payloads.base import (
    PayloadError,
    PayloadMissing,
    PayloadStore,
    PayloadStoreAway,
)

Factory = Callable[[str], PayloadStore]


def _files(url: str) -> PayloadStore:
    from automate.lib.payloads.files import FileStore

    if url == "files":
        return FileStore(Path(settings.VAR_DIR) / "payloads")
    parts = urlsplit(url)
    if parts.netloc or not parts.path.strip("/") or parts.query:
        raise ValueError("a folder is written files:///absolute/path")
    return FileStore(Path(unquote(parts.path)))


def _s3(url: str) -> PayloadStore:
    from automate.lib import s3
    from automate.lib.payloads.s3 import S3Store

    return S3Store(s3.parse(url))


def _memory(url: str) -> PayloadStore:
    from automate.lib.payloads.memory import MemoryStore

    if url != "memory":
        raise ValueError("memory takes no address")
    return MemoryStore()


_factories: dict[str, Factory] = {"files": _files, "s3": _s3, "memory": _memory}


def register(kind: str, factory: Factory) -> None:
    """Make a kind of store known: what an app brings that knows the database."""
    _factories[kind] = factory


def parse(url: str) -> PayloadStore:
    """The store that one entry of AUTOMATE_PAYLOAD_STORE names. Raises ValueError."""
    kind = url.partition(":")[0]
    if kind not in _factories:
        known = ", ".join(sorted(_factories))
        raise ValueError(f"{kind!r} is no payload store; known: {known}")
    return _factories[kind](url)


class Ring:
    """Stores in the order of the setting.

    A payload names the kind of store that it is in: of several of one kind each is
    asked in turn. The database's store is always among those that are read.
    """

    def __init__(self, stores: Sequence[PayloadStore]) -> None:
        """Raises ValueError for none."""
        if not stores:
            raise ValueError("at least one payload store is needed")
        self.writer = stores[0]
        self._by_kind: dict[str, list[PayloadStore]] = defaultdict(list)
        for store in stores:
            self._by_kind[store.kind].append(store)
        if "database" not in self._by_kind and "database" in _factories:
            self._by_kind["database"].append(parse("database"))

    def __iter__(self) -> Iterator[PayloadStore]:
        for stores in self._by_kind.values():
            yield from stores

    def get(self, kind: str, reference: UUID) -> bytes:
        """The payload's bytes. Raises PayloadMissing or PayloadStoreAway."""
        found = self.get_many(kind, [reference])[reference]
        if isinstance(found, PayloadError):
            raise found
        return found

    def get_many(
        self, kind: str, references: Iterable[UUID]
    ) -> Mapping[UUID, bytes | PayloadError]:
        """Each one's bytes, or why they could not be had."""
        wanted = list(dict.fromkeys(references))
        found: dict[UUID, bytes | PayloadError] = {}
        for store in self._stores(kind):
            for item, data in store.get_many(wanted).items():
                # That one store is away outweighs that another lacks it.
                if not isinstance(found.get(item), PayloadStoreAway) or isinstance(
                    data, bytes
                ):
                    found[item] = data
            wanted = [item for item in wanted if not isinstance(found[item], bytes)]
            if not wanted:
                break
        return found

    def rewrite(self, kind: str, reference: UUID, data: bytes) -> None:
        """Put other bytes where this payload is.

        Raises PayloadMissing or PayloadStoreAway.
        """
        for store in self._stores(kind):
            if isinstance(store.get_many([reference])[reference], bytes):
                store.write(reference, data)
                return
        raise PayloadMissing(f"payload {reference} is missing from {kind}")

    def delete(self, kind: str, references: Sequence[UUID]) -> None:
        """Forget these in every store of the kind. Raises PayloadStoreAway."""
        for store in self._stores(kind):
            store.delete(references)

    def _stores(self, kind: str) -> Sequence[PayloadStore]:
        stores = self._by_kind.get(kind)
        if not stores:
            msg = f"AUTOMATE_PAYLOAD_STORE names no store of the kind {kind}"
            raise PayloadStoreAway(msg)
        return stores


@lru_cache(maxsize=1)
def get_ring() -> Ring:
    """The ring of the settings, made once a process.

    Raises ImproperlyConfigured where AUTOMATE_PAYLOAD_STORE makes no sense.
    """
    try:
        return Ring([parse(url) for url in settings.PAYLOAD_STORES])
    except ValueError as error:
        raise ImproperlyConfigured(f"AUTOMATE_PAYLOAD_STORE: {error}") from None


def _forget_ring(*, setting: str, **_kwargs: Any) -> None:
    if setting == "PAYLOAD_STORES":
        get_ring.cache_clear()


setting_changed.connect(_forget_ring)
# Locks of the parent's threads would stay locked.
os.register_at_fork(after_in_child=get_ring.cache_clear)
