"""The whole site answers here, not the edge alone; and who calls."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tests.api_people import api, stranger, team, user

__all__ = ["api", "stranger", "team", "user"]


@pytest.fixture(autouse=True)
def whole_site(edge: None, settings: Settings) -> None:
    """The site's own addresses, whatever the edge's tests use."""
    settings.ROOT_URLCONF = "automate.urls"
