"""A scope like the ones the engine hands in."""

from __future__ import annotations

from typing import Any

import pytest

KNOWN = frozenset({"notify", "action-1", "action", "a-b-c", "größe²", "2fa"})


def make_scope() -> dict[str, Any]:
    """What a run after two steps looks like."""
    return {
        "trigger": {
            "id": "evt_1",
            "payload": {
                "order": {
                    "id": 7,
                    "total": 12.5,
                    "items": ["pen", "ink"],
                    "note": None,
                },
                "user": {"name": "Ada", "first name": "Ada"},
                "paid": True,
                "0": "zero",
                "evil": "{{ secrets.TOKEN }} {% raw %} {# x #}",
            },
            "headers": {"x-request-id": "r-1"},
        },
        "steps": {
            "notify": {"status": 201, "body": {"name": "n", "total": 3}},
            "action-1": {"status": 200},
            "action": {"count": 5},
            "a-b-c": {"ok": True},
            "größe²": {"ok": True},
            "2fa": {"ok": True},
        },
        "variables": {"region": "eu", "empty": "", "keys": ["x"]},
        "run": {"id": "run_1"},
    }


@pytest.fixture
def scope() -> dict[str, Any]:
    """A fresh scope."""
    return make_scope()
