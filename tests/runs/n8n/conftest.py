"""A receiver on a real socket, and a room for senders that wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from pytest_django import Settings
from pytest_httpserver import HTTPServer

from tests.runs.n8n.world import World
from tests.waiting_rooms import waiting_room
from webhooks import inbound, record


@pytest.fixture
def world(
    engine: Settings, monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer
) -> Iterator[World]:
    """Imports workflows and runs them; `{RECEIVER}` in them is the receiver."""
    monkeypatch.setattr(inbound, "tally", record.Tally())
    with ExitStack() as stack:
        stack.enter_context(waiting_room())
        yield World(httpserver)
