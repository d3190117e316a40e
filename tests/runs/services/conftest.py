"""Every test here works on real transactions."""

from __future__ import annotations

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _engine(engine: Settings) -> None:
    """The engine of tests/runs/conftest.py."""
