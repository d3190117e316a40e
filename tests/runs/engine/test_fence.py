"""I3, I4 and I5: one holder a run, one key a step, one version a run."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from runs.engine.ledger import Written
from runs.engine.perform import lease_holds
from runs.engine.reap import reap
from runs.models import DeliveryAttempt, Job, Run, StepRun
from runs.states import RunStatus
from tests.automate.lib.net.servers import Server, read_request
from tests.runs.drains import Hand, drained, draining, until
from tests.runs.flows import (
    again,
    attempts,
    call,
    edge,
    expire,
    given,
    logged,
    make_due,
    many,
    node,
    publish,
    started,
    step,
    steps,
)
from workflows.services import create_workflow, save_draft
from workflows.services import publish as publish_draft
from workflows.services.documents import parse_document

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def other(engine: Settings) -> Iterator[Hand]:
    """A second drain."""
    other = Hand()
    yield other
    other.close()


class TestLateResults:
    """I3. Shown to fail when `lock` calls every job held."""

    def lost(self, hand: Hand, url: str) -> Run:
        """A run that `hand` performs, and whose lease somebody else took back."""
        run = started(publish(call("notify", url), given("z")))
        hand.claim()
        return run

    def test_a_late_result_is_discarded(
        self, hand: Hand, receiver: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        run = self.lost(hand, receiver.url)
        results = hand.perform()
        reap(expire(run))

        with caplog.at_level(logging.WARNING):
            written = hand.record(results)

        assert not written.drafts
        assert [held.run_id for held, _ in written.lost] == [run.pk]
        assert steps(run) == {"notify": "waiting"}
        assert Job.objects.get(run=run).seq == 1, "only the reaper wrote"
        assert f"discarding 1 late result(s) of run {run.pk}" in caplog.text

    def test_history_is_kept_and_replaces_the_unknown(
        self, hand: Hand, receiver: Server
    ) -> None:
        """Shown to fail without `_replace_unknown`."""
        run = self.lost(hand, receiver.url)
        results = hand.perform()
        reap(expire(run))
        (written_off,) = attempts(run)
        assert (written_off.outcome, written_off.error_kind) == (
            "unknown",
            "interrupted",
        )

        hand.record(results)

        (attempt,) = attempts(run)
        assert attempt.pk == written_off.pk
        assert (attempt.outcome, attempt.response_status) == ("delivered", 200)
        assert (attempt.error_kind, attempt.error_message) == ("", "")
        assert attempt.next_due_at is None
        assert "A late result of attempt 1 was discarded" in logged(run)

    def test_a_definite_answer_is_never_replaced(
        self, hand: Hand, receiver: Server
    ) -> None:
        run = self.lost(hand, receiver.url)
        results = hand.perform()
        reap(expire(run))
        DeliveryAttempt.objects.update(outcome="rejected", response_status=410)

        hand.record(results)

        assert [row.response_status for row in attempts(run)] == [410]

    def test_a_late_answer_arrives_while_another_holds_the_run(
        self, hand: Hand, other: Hand, receiver: Server
    ) -> None:
        run = self.lost(hand, receiver.url)
        results = hand.perform()
        reap(expire(run))
        other.claim_suspect()
        hand.record(results)
        other.finish()

        assert again(run).status == RunStatus.SUCCEEDED
        assert [(row.number, row.outcome) for row in attempts(run)] == [
            (1, "delivered"),
            (2, "delivered"),
        ]
        assert step(run, "notify").attempt == 2

    def test_a_late_answer_after_the_end(
        self, hand: Hand, other: Hand, receiver: Server
    ) -> None:
        run = self.lost(hand, receiver.url)
        results = hand.perform()
        reap(expire(run))
        other.claim_suspect()
        other.finish()
        ended = again(run)

        hand.record(results)

        assert again(run).finished_at == ended.finished_at
        assert [row.outcome for row in attempts(run)] == ["delivered", "delivered"]

    def test_the_runs_beside_it_in_the_batch_are_recorded(
        self, hand: Hand, receiver: Server
    ) -> None:
        runs = many(publish(call("notify", receiver.url)), 3)
        hand.claim()
        results = hand.perform()
        reap(expire(runs[1]))

        written = hand.record(results)

        assert len(written.drafts) == 2
        assert [again(run).status for run in runs] == [
            "succeeded",
            "running",
            "succeeded",
        ]

    def test_history_that_cannot_be_stored_spoils_nothing(
        self, hand: Hand, receiver: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Shown to fail when late results are stored before `turn` is through: then
        what had been committed is recorded once more."""
        lost, kept = many(publish(call("notify", receiver.url), given("z")), 2)
        hand.claim()
        results = hand.perform()
        reap(expire(lost))

        def refuse(*_: object) -> None:
            raise ValueError("no room for history")

        monkeypatch.setattr("runs.engine.ledger.keep_late", refuse)
        hand.record(results)
        hand.finish()

        assert again(kept).status == "succeeded"
        assert len(attempts(kept)) == 1


def test_a_lease_that_was_lost_and_won_again_is_another_one(
    hand: Hand, receiver: Server
) -> None:
    """The same drain, a new token. Shown to fail with one token a process."""
    run = started(publish(call("notify", receiver.url)))
    hand.claim()
    results = hand.perform()
    old = hand.held[run.pk]
    reap(expire(run))
    hand.claim_suspect()
    assert hand.held[run.pk].token != old.token

    assert not hand.record(results).drafts
    hand.finish()
    assert again(run).status == "succeeded"


def test_a_drain_keeps_a_new_lease_when_an_old_result_comes(
    hand: Hand, receiver: Server
) -> None:
    """Shown to fail when `_take_over` goes by the run alone: the new lease is then no
    longer extended."""
    with draining() as (whole,):
        drain = whole.drain
        run = started(
            publish(call("a", receiver.url), node("b", "delay", {"duration": 0.9}))
        )
        until(lambda: run.pk in drain._held)
        until(lambda: steps(run).get("b") == "waiting")
        held = drain._held[run.pk]
        ghost = type(held)(
            **{
                name: getattr(held, name)
                for name in ("job_id", "run_id", "workflow_id", "team_id", "run")
            },
            token=run.pk,
            lease_ends=0.0,
        )
        drain._take_over(Written(lost=[(ghost, [])]))
        assert drain._held.get(run.pk) is held


class TestBeforeSending:
    """A thread checks its lease at the last moment."""

    def test_a_step_is_dropped_when_the_lease_may_have_run_out(
        self, hand: Hand, receiver: Server
    ) -> None:
        """Shown to fail without the checks in `perform` and at the first byte."""
        run = started(publish(call("notify", receiver.url)))
        hand.claim()
        hand.held[run.pk].lease_ends = 0.0

        hand.record()

        assert receiver.requests == []
        assert attempts(run) == []
        assert step(run, "notify").attempt == 1, "begun again, not counted twice"
        assert lease_holds(hand.held[run.pk]), "the record renewed it"
        hand.finish()
        assert again(run).status == "succeeded"
        assert [row.number for row in attempts(run)] == [1]

    def test_a_margin_is_left(self, hand: Hand) -> None:
        run = started(publish(given("a")))
        hand.claim()
        held = hand.held[run.pk]
        held.lease_ends = time.monotonic() + 0.9
        assert not lease_holds(held)
        held.lease_ends = time.monotonic() + 5
        assert lease_holds(held)
        held.written_off = True
        assert not lease_holds(held)


def sent_keys(server: Server) -> list[str]:
    keys = []
    for request in server.requests:
        for header in request.split(b"\r\n"):
            name, _, value = header.partition(b":")
            if name.lower() == b"idempotency-key":
                keys.append(value.strip().decode())
    return keys


class TestKeys:
    """I4. Shown to fail when the attempt's number is part of `key_of`."""

    def test_every_attempt_carries_the_same_key(self, hand: Hand) -> None:
        answers = iter([b"503 No", b"429 No", b"200 OK"])

        def handle(sock: socket.socket, server: Server) -> None:
            while request := read_request(sock):
                server.requests.append(request)
                line = next(answers)
                sock.sendall(b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n")

        with Server(handle) as server:
            run = started(publish(call("notify", server.url)))
            hand.claim()
            hand.finish()

        keys = sent_keys(server)
        assert len(keys) == 3
        assert set(keys) == {step(run, "notify").idempotency_key}

    def test_also_after_the_worker_vanished(self, hand: Hand, receiver: Server) -> None:
        run = started(publish(call("notify", receiver.url)))
        hand.claim()
        hand.perform()
        reap(expire(run))
        hand.claim_suspect()
        hand.finish()

        assert len(set(sent_keys(receiver))) == 1
        assert len(sent_keys(receiver)) == 2

    def test_steps_and_runs_have_keys_of_their_own(
        self, hand: Hand, receiver: Server
    ) -> None:
        flow = publish(call("a", receiver.url), call("b", receiver.url))
        many(flow, 2)
        hand.claim()
        hand.finish()

        assert len(set(sent_keys(receiver))) == 4


class TestVersions:
    """I5. Shown to fail when `load` takes the workflow's published version."""

    def test_a_run_goes_on_with_the_version_it_began_with(self, hand: Hand) -> None:
        flow = publish(given("a", v=1), given("b", v="{{ steps.a.v }}"))
        run = started(flow)
        hand.claim()
        publish(given("a", v=2), given("c", v=2), workflow=flow)
        hand.record()
        make_due(run)
        hand.finish()

        assert steps(run) == {"a": "succeeded", "b": "succeeded"}
        assert step(run, "b").output == {"v": 1}

    def test_also_when_it_is_claimed_anew_after_publishing(self, hand: Hand) -> None:
        pause = node("pause", "delay", {"duration": 30})
        flow = publish(pause, given("b", v=1))
        runs = [started(flow)]
        publish(pause, given("b", v=2), given("c"), workflow=flow)
        runs.append(started(flow))
        hand.claim()
        hand.finish()
        publish(given("d"), workflow=flow)
        make_due(*runs)
        drained()

        assert steps(runs[0]) == {"pause": "succeeded", "b": "succeeded"}
        assert step(runs[0], "b").output == {"v": 1}
        assert step(runs[1], "b").output == {"v": 2}

    def test_with_the_real_publish(self) -> None:
        def document(value: int) -> dict[str, object]:
            steps = [
                {"id": "pause", "type": "delay", "config": {"duration": 0.3}},
                {"id": "b", "type": "set", "config": {"values": {"v": value}}},
            ]
            return {"name": "Orders", "slug": "orders", "steps": steps}

        flow = create_workflow(document(1), by=None).workflow
        run = started(flow)
        with draining():
            until(lambda: steps(run).get("pause") == "waiting")
            save_draft(flow, parse_document(document(2)), by=None)
            publish_draft(flow, by=None)
            until(lambda: not Job.objects.exists())

        assert again(run).version.number == 1
        assert step(run, "b").output == {"v": 1}
        flow.refresh_from_db()
        fresh = started(flow)
        drained()
        assert step(fresh, "b").output == {"v": 2}


class TestSignals:
    """Who changes a step from outside makes the holder look again."""

    def test_a_changed_signal_count_reloads_and_plans_again(
        self, hand: Hand, receiver: Server
    ) -> None:
        """Shown to fail when `_turn` does not compare `signal_count`."""
        nodes = [call("a", receiver.url), node("p", "delay", {"duration": 900})]
        run = started(publish(*nodes, given("z"), connections=[edge("p", "z")]))
        hand.claim()
        hand.record(hand.perform("p"))
        assert steps(run) == {"a": "running", "p": "waiting"}
        StepRun.objects.filter(run=run, node_id="p").update(due_at=Now())
        Job.objects.filter(run=run).update(signal_count=F("signal_count") + 1)

        hand.record()

        assert steps(run) == {"a": "succeeded", "p": "succeeded", "z": "running"}
        assert Job.objects.get(run=run).lease_token == hand.held[run.pk].token
        assert [row.outcome for row in attempts(run)] == ["delivered"]
        hand.finish()
        assert again(run).status == "succeeded"

    def test_without_a_signal_memory_is_believed(
        self, hand: Hand, receiver: Server
    ) -> None:
        nodes = [call("a", receiver.url), node("p", "delay", {"duration": 900})]
        run = started(publish(*nodes, connections=[]))
        hand.claim()
        hand.record(hand.perform("p"))
        StepRun.objects.filter(run=run, node_id="p").update(due_at=Now())

        hand.record()

        assert steps(run) == {"a": "succeeded", "p": "waiting"}
