"""Idempotency keys in loops: one for all attempts of an item's step, no two alike."""

from __future__ import annotations

import pytest

from runs.engine.reap import reap
from runs.models import StepRun
from tests.automate.lib.net.servers import Server
from tests.runs.drains import Hand, drained
from tests.runs.flows import call, calling, children, expire, loop, publish, started

pytestmark = pytest.mark.usefixtures("engine")


def keys() -> list[str]:
    """The keys of all steps that send."""
    rows = StepRun.objects.filter(kind="http_request").order_by("pk")
    return list(rows.values_list("idempotency_key", flat=True))


def test_no_two_items_share_a_key_at_any_depth(receiver: Server) -> None:
    callee = publish(call("post", receiver.url))
    inner = loop("in", [1, 2], call("deep", receiver.url), calling("sub", callee.slug))
    flow = publish(call("first", receiver.url), loop("each", [1, 2], inner))
    started(flow)
    drained(within=60)
    assert len(keys()) == 1 + 4 + 4
    assert len(set(keys())) == len(keys())


def test_all_attempts_of_an_items_step_carry_one_key(
    hand: Hand, receiver: Server
) -> None:
    run = started(publish(loop("each", [1, 2], call("post", receiver.url))))
    hand.claim()
    hand.record()
    hand.claim()
    before = keys()
    reap(expire(*children(run)))
    drained()
    assert keys() == before
    assert len(set(before)) == 2
