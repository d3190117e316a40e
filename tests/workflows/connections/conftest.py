"""A token endpoint, a step's context, and a process without tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.automate.lib.net.pki import Authority
from tests.workflows.actions.conftest import client as client
from tests.workflows.actions.conftest import make_context as make_context
from tests.workflows.connections.provider import Provider
from workflows.connections.tokens import tokens


@pytest.fixture(autouse=True)
def no_tokens() -> Iterator[None]:
    tokens.clear()
    yield
    tokens.clear()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()
