"""The edge alone answers in these tests, with a count of its own."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from webhooks import inbound, record


@pytest.fixture(autouse=True)
def edge(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the edge's addresses, and nothing counted by another test."""
    settings.ROOT_URLCONF = "webhooks.urls"
    settings.LISTEN = False  # the waking thread would keep a connection open
    monkeypatch.setattr(inbound, "tally", record.Tally())
