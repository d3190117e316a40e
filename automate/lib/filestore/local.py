"""Files in a folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.files.storage import FileSystemStorage

# What a file system says that knows no hard links.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class LocalStorage(FileSystemStorage):
    """As Django's; a file appears with all its bytes, on disk, or not at all."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:  # noqa: ARG002 - Django's signature
        return name

    def _save(self, name: str, content: Any) -> str:
        path = Path(self.path(name))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            text = "a part of the name is a file already"
            raise NotADirectoryError(errno.ENOTDIR, text, name) from None
        part = path.with_name(f".{uuid4().hex}.part")
        try:
            _write(part, content, self.file_permissions_mode)
            if getattr(content, "overwrite", False):
                part.replace(path)
            else:
                _appear(part, path)
        finally:
            part.unlink(missing_ok=True)
        _sync(path.parent)
        return name


def _write(path: Path, content: Any, mode: int | None) -> None:
    with path.open("xb") as file:
        for chunk in content.chunks():
            file.write(chunk)
        file.flush()
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _appear(part: Path, path: Path) -> None:
    """Give a file its name; raises FileExistsError when something has it."""
    try:
        path.hardlink_to(part)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, "there already", str(path)) from None
        part.rename(path)


def _sync(folder: Path) -> None:
    """The name itself survives a loss of power too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
