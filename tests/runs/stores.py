"""The four payload stores, each as a setting that a test may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from automate.lib import payloads
from tests.object_store import fresh, object_store

KINDS = ("database", "files", "s3", "memory")
EXTERNAL = ("files", "s3", "memory")


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """An S3 server for the whole session."""
    with object_store() as url:
        yield url


def url_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """The setting of a store of this kind that holds nothing yet."""
    if kind == "files":
        return f"files://{folder}/payloads"
    if kind == "s3":
        return fresh(request.getfixturevalue("bucket"))
    return kind


@pytest.fixture
def store(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path
) -> payloads.PayloadStore:
    """The store that is written to, of the kind that the test is parametrised by."""
    settings.PAYLOAD_STORES = [url_of(request.param, request, tmp_path)]
    return payloads.get_ring().writer
