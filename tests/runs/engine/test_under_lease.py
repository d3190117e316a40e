"""The lease is looked at again immediately before the first byte leaves."""

from __future__ import annotations

import pytest

from runs.engine.task import Dropped
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import Hand
from tests.runs.flows import attempts, call, publish, started, step

pytestmark = pytest.mark.usefixtures("engine")


def test_a_lease_that_runs_out_while_connecting_sends_nothing(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown to fail when the lease is looked at only before rendering."""
    with Server(always(answer())) as server:
        run = started(publish(call("a", server.url)))
        hand.claim()
        answers = iter([True, False])
        monkeypatch.setattr(hand.performer, "_alive", lambda _: next(answers))

        [result] = hand.perform()

        assert isinstance(result.outcome, Dropped)
        assert server.requests == []
        hand.record([result])
    assert step(run, "a").attempt in (0, 1)
    assert attempts(run) == []


def test_while_it_holds_the_request_is_sent(hand: Hand) -> None:
    with Server(always(answer())) as server:
        run = started(publish(call("a", server.url)))
        hand.claim()
        hand.finish()
        assert len(server.requests) == 1
    assert attempts(run)[0].outcome == "delivered"
