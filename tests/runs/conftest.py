"""The engine, set up for tests: loopback may be called, and nothing waits long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import LOOPBACK, Hand


@pytest.fixture
def engine(settings: Settings, transactional_db: None) -> Settings:
    """Real transactions; a quick poll and no LISTEN unless a test turns it on."""
    settings.ALLOWED_NETWORKS = LOOPBACK
    settings.LISTEN = False
    settings.POLL = 0.02
    settings.GRACE = 3.0
    return settings


@pytest.fixture
def hand(engine: Settings) -> Iterator[Hand]:
    """A drain that the test moves by hand."""
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def receiver() -> Iterator[Server]:
    """Answers everything with 200 and a small JSON body."""
    body = answer(b'{"ok": true}', "200 OK", "Content-Type: application/json")
    with Server(always(body)) as server:
        yield server
