"""The whole site answers here, not the edge alone."""

from __future__ import annotations

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def whole_site(edge: None, settings: Settings) -> None:
    """The site's own addresses, whatever the edge's tests use."""
    settings.ROOT_URLCONF = "automate.urls"
