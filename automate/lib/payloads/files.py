"""Payloads as files below one folder, which all hosts must share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import UUID

from automate.lib.ids import new_key
from automate.lib.payloads.base import (
    PayloadMissing,
    PayloadStore,
    PayloadStoreAway,
    made_at,
)

# Tells an empty store from the empty folder that a lost mount leaves behind.
SIGN = "automate-payloads"
_FORGOTTEN = 3600.0  # seconds: a temporary file of that age has no writer


class FileStore(PayloadStore):
    """One file a payload, `<root>/ab/cd/<reference>`, readable by its owner alone.

    The folders are named by the reference's random end. A file appears whole or not
    at all, and is on disk before `write` returns: file, name, and new folders are
    synced.
    """

    kind = "files"

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return f"files in {self._root}"

    def write(self, reference: UUID, data: bytes) -> None:
        """See PayloadStore."""
        path = self._path(reference)
        temporary = path.with_name(f".{reference.hex}-{new_key(64)}")
        try:
            self._make_folder(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            try:
                with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            except OSError:
                with suppress(FileNotFoundError):
                    temporary.unlink()
                raise
            _sync(path.parent)
        except OSError as error:
            raise self._away(error) from error

    def _make_folder(self, folder: Path) -> None:
        """Make it and what leads to it, each name synced in the folder above."""
        if folder.is_dir():
            return
        if not (self._root / SIGN).exists():
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._root / SIGN).touch(mode=0o600)
            _sync(self._root)
        for item in (folder.parent, folder):
            item.mkdir(mode=0o700, exist_ok=True)
            _sync(item.parent)

    def get(self, reference: UUID) -> bytes:
        """See PayloadStore."""
        try:
            return self._path(reference).read_bytes()
        except FileNotFoundError as error:
            if not (self._root / SIGN).exists():
                raise self._away(error) from error
            msg = f"payload {reference} is missing from {self}"
            raise PayloadMissing(msg) from None
        except OSError as error:
            raise self._away(error) from error

    def delete(self, references: Iterable[UUID]) -> None:
        """See PayloadStore."""
        try:
            for item in references:
                self._path(item).unlink(missing_ok=True)
        except OSError as error:
            raise self._away(error) from error

    def references(self, before: datetime) -> Iterator[UUID]:
        """See PayloadStore. Also removes what writers that died left half done."""
        try:
            if not self._root.exists():
                return  # nothing was put yet
            (self._root / SIGN).stat()  # else it is not the store that was meant
            for path in self._root.glob("??/??/*"):
                if path.name.startswith("."):
                    _remove_forgotten(path, before)
                    continue
                with suppress(ValueError):  # nothing of ours
                    reference = UUID(hex=path.name)
                    if made_at(reference) < before:
                        yield reference
        except OSError as error:
            raise self._away(error) from error

    def _path(self, reference: UUID) -> Path:
        name = reference.hex
        return self._root / name[-2:] / name[-4:-2] / name

    def _away(self, error: OSError) -> PayloadStoreAway:
        reason = error.strerror or type(error).__name__
        return PayloadStoreAway(f"{self} cannot be used: {reason}")


def _remove_forgotten(path: Path, before: datetime) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_mtime < before.timestamp() - _FORGOTTEN:
            path.unlink()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
