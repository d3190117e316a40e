"""Both kinds of storage: a folder, and a bucket on a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.storage import Storage
from django.utils.module_loading import import_string

from automate.lib.filestore import storage_setting
from tests.object_store import fresh, object_store


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """The URL of a bucket."""
    with object_store() as url:
        yield url


def storage_of(url: str) -> Storage:
    """The storage that a URL names, as Django makes it."""
    entry = storage_setting(url, Path("nowhere"))
    storage: Storage = import_string(entry["BACKEND"])(**entry["OPTIONS"])
    return storage


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty place of either kind."""
    if request.param == "folder":
        return f"file://{tmp_path}/files"
    return fresh(request.getfixturevalue("bucket"))


@pytest.fixture
def storage(url: str) -> Storage:
    return storage_of(url)
