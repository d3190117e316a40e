"""A step kind whose deed is a function of the test's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from automate.lib.clock import SystemClock
from tests.runs.flows import node
from workflows.actions import base
from workflows.actions.base import Action, Context
from workflows.actions.outcomes import AttemptRecord, Outcome

Deed = Callable[[Context], Any]
DEEDS: dict[str, Deed] = {}


class DoesAsTold(Action):
    """Does what the test says under the name of its config's `do`."""

    kind = "as_told"
    label = "As told"
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
    }

    def execute(self, context: Context) -> Outcome:
        outcome: Outcome = DEEDS[context.config["do"]](context)
        return outcome


class SendsAsTold(DoesAsTold):
    """The same, and the engine takes it for one that sends."""

    kind = "sends_as_told"
    sends = True


def teach(monkeypatch: pytest.MonkeyPatch, **deeds: Deed) -> None:
    """Make the kinds known for this test, with these deeds."""
    base.all_actions()
    for kind in (DoesAsTold, SendsAsTold):
        monkeypatch.setitem(base._registry.entries, kind.kind, kind())
    for name, deed in deeds.items():
        monkeypatch.setitem(DEEDS, name, deed)


def told(key: str, do: str, **more: Any) -> dict[str, Any]:
    """A step of the kind."""
    kind = "sends_as_told" if more.pop("sends", False) else "as_told"
    return node(key, kind, {"do": do, **more.pop("config", {})}, **more)


def sent(**changes: Any) -> AttemptRecord:
    """A request that was answered 200, unless said otherwise."""
    fields: dict[str, Any] = {
        "method": "POST",
        "url": "https://crm.example.com/",
        "request_headers": {},
        "request_body": "",
        "request_truncated": False,
        "response_status": 200,
        "response_headers": {},
        "response_body": "",
        "response_truncated": False,
        "error_kind": "",
        "error_message": "",
        "outcome": "delivered",
        "started_at": SystemClock().now(),
        "duration_ms": 1,
    }
    return AttemptRecord(**{**fields, **changes})
