"""A file on its way into the storage."""

from __future__ import annotations

from django.core.files.base import ContentFile


class NewFile(ContentFile):  # type: ignore[type-arg]  # it takes none when it runs
    """Bytes to be stored; `overwrite` replaces a file of the same name."""

    def __init__(
        self, data: bytes, *, content_type: str = "", overwrite: bool = False
    ) -> None:
        super().__init__(data)
        self.content_type = content_type
        self.overwrite = overwrite
