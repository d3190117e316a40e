"""Django's file storage, named by a URL: a folder, or a bucket of S3 or its like.

Both kinds write a file whole or not at all, under exactly the name that was asked for:
`save` raises FileExistsError where Django would choose another name, unless the file
(a `NewFile`) says `overwrite`. What a bucket needs is imported when it is first used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from automate.lib import s3


def storage_setting(url: str, usual: Path) -> dict[str, Any]:
    """An entry of Django's STORAGES for a URL; without one the folder `usual`.

    Raises ValueError, which says what is wrong and quotes no credentials.
    """
    if url.startswith("s3:"):
        s3.parse(url)
        return {
            "BACKEND": "automate.lib.filestore.bucket.BucketStorage",
            "OPTIONS": {"url": url},
        }
    return {
        "BACKEND": "automate.lib.filestore.local.LocalStorage",
        "OPTIONS": {"location": str(_folder(url) if url else usual)},
    }


def _folder(url: str) -> Path:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc or not parts.path.strip("/"):
        msg = "write file:///folder or s3://bucket/prefix?endpoint=https://host:port"
        raise ValueError(msg)
    return path
