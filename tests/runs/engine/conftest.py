"""A receiver and a hanging step that several of these tests share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.runs.engine.bank import Bank
from tests.runs.kinds import teach
from workflows.actions.outcomes import Done


@pytest.fixture
def bank() -> Iterator[Bank]:
    """Takes POSTs and answers none of them."""
    server = Bank()
    with server:
        yield server


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Steps that do `wait` hang until it opens: nothing can cut them off."""
    gate = threading.Event()

    def wait(_: Any) -> Done:
        gate.wait(120)
        return Done(output="at last")

    teach(monkeypatch, wait=wait)
    yield gate
    gate.set()
