"""Commits whose answer was lost: applied or not, nothing is lost and nothing twice."""

from __future__ import annotations

import pytest
from django.db import connection

from runs.engine.ledger import DatabaseAway
from runs.engine.reap import reap
from runs.models import Job
from runs.states import RunStatus
from tests.automate.lib.net.servers import Server
from tests.runs.drains import Hand
from tests.runs.faults import lost_commit
from tests.runs.flows import (
    again,
    attempts,
    call,
    expire,
    many,
    node,
    publish,
    started,
    step,
    steps,
)

pytestmark = pytest.mark.usefixtures("engine")


def reconnect() -> None:
    """What a drain does before it tries again."""
    connection.close()


@pytest.mark.parametrize("applied", [True, False])
class TestCommitInDoubt:
    """Shown to fail without `_resolve` (applied: recorded twice, the second time as a
    violation that ends the run), and with a `_resolve` that believes (not applied:
    the result is lost)."""

    def test_of_a_record(
        self,
        hand: Hand,
        receiver: Server,
        monkeypatch: pytest.MonkeyPatch,
        applied: bool,
    ) -> None:
        run = started(publish(call("a", receiver.url), call("b", receiver.url)))
        hand.claim()
        results = hand.perform()
        with lost_commit(monkeypatch, applied=applied), pytest.raises(DatabaseAway):
            hand.record(results)
        reconnect()

        written = hand.record(results)

        assert written.resumed == applied
        assert written.took(results[0])
        assert steps(run) == {"a": "succeeded", "b": "running"}
        hand.finish()
        assert again(run).status == RunStatus.SUCCEEDED
        assert [row.outcome for row in attempts(run)] == ["delivered"] * 2
        assert len(receiver.requests) == 2

    def test_of_a_runs_end(
        self,
        hand: Hand,
        receiver: Server,
        monkeypatch: pytest.MonkeyPatch,
        applied: bool,
    ) -> None:
        run = started(publish(call("a", receiver.url)))
        hand.claim()
        results = hand.perform()
        with lost_commit(monkeypatch, applied=applied), pytest.raises(DatabaseAway):
            hand.record(results)
        reconnect()

        written = hand.record(results)

        assert written.resumed == applied
        assert not written.lost
        assert again(run).status == RunStatus.SUCCEEDED
        assert len(attempts(run)) == 1

    def test_of_a_release(
        self,
        hand: Hand,
        monkeypatch: pytest.MonkeyPatch,
        applied: bool,
    ) -> None:
        run = started(publish(node("pause", "delay", {"duration": 900})))
        hand.claim()
        results = hand.perform()
        with lost_commit(monkeypatch, applied=applied), pytest.raises(DatabaseAway):
            hand.record(results)
        reconnect()

        written = hand.record(results)

        assert written.resumed == applied
        assert [draft.released for draft in written.drafts] == [True]
        assert steps(run) == {"pause": "waiting"}
        assert Job.objects.get(run=run).lease_token is None

    def test_of_a_claim(
        self,
        hand: Hand,
        receiver: Server,
        monkeypatch: pytest.MonkeyPatch,
        applied: bool,
    ) -> None:
        """Runs that were claimed without our knowing are not left to the reaper."""
        runs = many(publish(call("a", receiver.url)), 3)
        with lost_commit(monkeypatch, applied=applied), pytest.raises(DatabaseAway):
            hand.claim()
        reconnect()

        hand.claim()
        hand.finish()

        assert {again(run).status for run in runs} == {RunStatus.SUCCEEDED}
        assert len(receiver.requests) == 3

    def test_results_that_came_since_are_recorded_next(
        self,
        hand: Hand,
        receiver: Server,
        monkeypatch: pytest.MonkeyPatch,
        applied: bool,
    ) -> None:
        flow = publish(call("a", receiver.url), call("b", receiver.url), connections=[])
        run = started(flow)
        hand.claim()
        first, second = hand.perform("a"), hand.perform("b")
        with lost_commit(monkeypatch, applied=applied), pytest.raises(DatabaseAway):
            hand.record(first)
        reconnect()

        written = hand.record([*first, *second])

        assert written.took(first[0])
        assert written.took(second[0]) is not applied
        if applied:
            hand.record(second)
        assert again(run).status == RunStatus.SUCCEEDED
        assert [row.outcome for row in attempts(run)] == ["delivered"] * 2


def test_doubt_is_not_resolved_by_another_drains_success(
    hand: Hand, receiver: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run of the batch was reaped and ended by somebody else meanwhile: that says
    nothing of our transaction. Shown to fail when any run may vouch for the rest."""
    gone, ours = many(publish(call("a", receiver.url)), 2)
    hand.claim()
    results = hand.perform()
    with lost_commit(monkeypatch, applied=False), pytest.raises(DatabaseAway):
        hand.record(results)
    reconnect()
    other = Hand()
    reap(expire(gone))
    other.claim_suspect()
    other.finish()
    other.close()

    written = hand.record(results)

    assert not written.resumed
    assert [held.run_id for held, _ in written.lost] == [gone.pk]
    assert again(ours).status == RunStatus.SUCCEEDED
    assert len(attempts(ours)) == 1
    assert [row.number for row in attempts(gone)] == [1, 2]


def test_a_reaped_run_is_not_taken_for_a_released_one(
    hand: Hand, receiver: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reaper leaves the marks that a release leaves: no lease, and one more `seq`."""
    flow = publish(
        call("a", receiver.url, timeout=1), node("p", "delay", {"duration": 900})
    )
    run = started(flow)
    hand.claim()
    hand.record()
    results = hand.perform()
    with lost_commit(monkeypatch, applied=False), pytest.raises(DatabaseAway):
        hand.record(results)
    reconnect()
    reap(expire(run))

    written = hand.record(results)

    assert not written.resumed
    assert len(written.lost) == 1
    assert steps(run) == {"a": "succeeded", "p": "waiting"}
    assert step(run, "p").interrupted
