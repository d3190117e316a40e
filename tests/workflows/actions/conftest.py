"""A context whose requests go through the real client to real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any, Protocol

import pytest

from automate.lib.clock import SystemClock
from automate.lib.net import Client, Policy
from automate.lib.redaction import Redactor
from workflows.actions.base import Context, RunInfo


class MakeContext(Protocol):
    def __call__(self, config: Any = None, /, **changes: Any) -> Context: ...


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    client = Client(Policy([ip_network("127.0.0.0/8")]))
    yield client
    client.close()


@pytest.fixture
def make_context(client: Client) -> MakeContext:
    def make(config: Any = None, /, **changes: Any) -> Context:
        values: dict[str, Any] = {
            "config": config or {},
            "idempotency_key": "key-1",
            "attempt": 1,
            "timeout": 5.0,
            "http": client,
            "clock": SystemClock(),
            "redactor": Redactor(),
            "run": RunInfo(id="run-1", workflow="w", version=1),
            "node_id": "notify",
        }
        return Context(**{**values, **changes})

    return make
