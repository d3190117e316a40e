"""What tests of the payload store may ask for."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tests.runs.stores import bucket, store

__all__ = ["bucket", "store"]


@pytest.fixture
def limits(settings: Settings) -> None:
    """Rows hold a thousand bytes, so that tests need no more to go beyond."""
    settings.INLINE_LIMIT = settings.INLINE_OUTPUT_LIMIT = 1_000
