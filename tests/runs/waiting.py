"""Runs that wait for an answer, and answers to them."""

from __future__ import annotations

from typing import Any

from runs.addresses import PREFIX, address_of
from runs.models import Run, WaitToken
from runs.services import Decision, Given, resume
from tests.runs.drains import Hand
from tests.runs.flows import edge, node, publish, started
from workflows.models import Workflow

APPROVED = Given(Decision.APPROVED, comment="Fine.")
REJECTED = Given(Decision.REJECTED)
DATA = Given(Decision.RECEIVED, body=b'{"n": 1}', content_type="application/json")


def ask(key: str = "ask", **config: Any) -> dict[str, Any]:
    """An approval."""
    return node(key, "approval", {"message": "Ship it?", **config})


def hook(key: str = "hook", **config: Any) -> dict[str, Any]:
    """A step that waits for a webhook."""
    return node(key, "wait_for_webhook", config)


def done(key: str, **values: Any) -> dict[str, Any]:
    """A step that is done at once."""
    return node(key, "set", {"values": values})


def approvals(**config: Any) -> Workflow:
    """Asks, and has a step behind each way that it may go."""
    ways = ("approved", "rejected", "timeout")
    return publish(
        ask(**config),
        *(done(way) for way in ways),
        connections=[edge("ask", way, way) for way in ways],
    )


def waiting(hand: Hand, workflow: Workflow, payload: Any = None) -> Run:
    """A run of it that waits, held by nobody."""
    run = started(workflow, payload)
    hand.claim()
    hand.finish()
    return run


def token(run: Run, key: str = "ask") -> WaitToken:
    """The step's token as it is stored now."""
    return WaitToken.objects.get(run=run, node_id=key)


def path_of(run: Run, key: str) -> str:
    """The path of the step's address."""
    return PREFIX + address_of(run.pk, key).partition(PREFIX)[2]


def answered(run: Run, given: Given = APPROVED, key: str = "ask", **more: Any) -> bool:
    """What `resume` says."""
    return resume(run.pk, key, given, **more)
