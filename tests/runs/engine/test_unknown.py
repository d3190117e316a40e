"""Requests that were sent and never answered: retried, verified, ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runs import services
from runs.engine.reap import reap
from runs.engine.task import Interrupted
from runs.models import RateBucket, Run
from tests.automate.lib.net.servers import answer
from tests.makers import make_user
from tests.runs.drains import Hand
from tests.runs.engine.bank import Bank, key_of
from tests.runs.flows import (
    again,
    attempts,
    call,
    expire,
    given,
    logged,
    make_due,
    publish,
    started,
    step,
)
from workflows.models import Connection

pytestmark = pytest.mark.usefixtures("engine")


def verified(bank: Bank, **more: Any) -> dict[str, Any]:
    verify = {
        "url": f"{bank.url}/charges",
        "query": {"reference": "{{ run.idempotency_key }}"},
        "happened": "{{ run.answer.status }} == 200 and {{ run.answer.body.paid }}",
        **more.pop("verify", {}),
    }
    config = {"verify": verify, **more.pop("config", {})}
    return call("pay", bank.url, config=config, on_unknown="verify", **more)


def turn(hand: Hand, run: Run) -> None:
    """What is due is made and recorded."""
    make_due(run)
    hand.claim()
    hand.record()


LATER = {"initial": 3600, "max": 3600, "jitter": 0}


class TestWords:
    def test_an_unknown_outcome_is_not_called_a_failure(
        self, hand: Hand, bank: Bank
    ) -> None:
        run = started(publish(call("a", bank.url, retry={"max_attempts": 1})))
        hand.claim()
        hand.record()

        assert [row.outcome for row in attempts(run)] == ["unknown"]
        assert step(run, "a").error_message.startswith("It is not known whether")
        assert "It is not known whether this had its effect" in again(run).error_message

    @pytest.mark.parametrize("policy", ["fail", "ask"])
    def test_what_only_reads_is_sent_again(
        self, hand: Hand, bank: Bank, policy: str
    ) -> None:
        bank.says = b""
        node = call("a", bank.url, config={"method": "GET"}, on_unknown=policy)
        run = started(publish(node))
        hand.claim()
        hand.record()

        assert [row.outcome for row in attempts(run)] == ["unknown"]
        hand.finish()
        assert len(bank.requests) == 5

    def test_a_config_may_name_the_key(self, hand: Hand, bank: Bank) -> None:
        bank.posts = answer()
        body = {"reference": "{{ run.idempotency_key }}"}
        started(publish(call("a", bank.url, config={"body": body})))
        hand.claim()
        hand.record()

        key = key_of(bank.requests[0])
        assert key
        assert b'"' + key + b'"' in bank.requests[0].partition(b"\r\n\r\n")[2]


class TestVerify:
    def test_it_has_happened(self, hand: Hand, bank: Bank) -> None:
        bank.knows(paid=True, id=7)
        flow = publish(
            verified(bank, retry=LATER), given("z", id="{{ steps.pay.body.id }}")
        )
        run = started(flow)
        hand.claim()
        hand.record()
        doubted = step(run, "pay")
        assert (doubted.status, doubted.waiting_for) == ("waiting", "retry")
        turn(hand, run)
        hand.finish()

        assert again(run).status == "succeeded"
        assert step(run, "z").output == {"id": 7}
        assert len(bank.sent("POST")) == 1
        (asked,) = bank.sent("GET")
        assert b"/charges?reference=" + key_of(bank.sent("POST")[0]) in asked
        assert key_of(asked) == b""
        rows = [(row.number, row.verify, row.outcome) for row in attempts(run)]
        assert rows == [(1, 0, "unknown"), (1, 1, "delivered")]
        assert "Verified: it had its effect." in logged(run)
        assert step(run, "pay").input["body"] == {"step": "pay"}

    def test_it_has_not_and_is_sent_again(self, hand: Hand, bank: Bank) -> None:
        run = started(publish(verified(bank, retry=LATER)))
        hand.claim()
        hand.record()
        bank.posts = answer()
        make_due(run)
        hand.claim()
        hand.record()
        assert len(bank.sent("POST")) == 1
        hand.finish()

        assert again(run).status == "succeeded"
        first, second = bank.sent("POST")
        assert key_of(first) == key_of(second) != b""
        rows = [(row.number, row.verify) for row in attempts(run)]
        assert rows == [(1, 0), (1, 1), (2, 0)]
        assert step(run, "pay").verifies == 0

    def test_its_answer_may_be_made_the_output(self, hand: Hand, bank: Bank) -> None:
        bank.knows(paid=True, id=7)
        output = {"status": 201, "body": {"id": "{{ run.answer.body.id }}"}}
        run = started(publish(verified(bank, verify={"output": output})))
        hand.claim()
        hand.finish()

        assert step(run, "pay").output == {"status": 201, "body": {"id": 7}}

    @pytest.mark.parametrize(
        "says", [b"", answer(b"", "503 Busy"), answer(b"", "401 Who"), answer(b"x")]
    )
    def test_what_proves_nothing_is_asked_again_and_then_it_ends(
        self, hand: Hand, bank: Bank, says: bytes
    ) -> None:
        """No answer, one that says nothing, one that the condition cannot read."""
        bank.says = says
        retry = {"max_attempts": 3, "initial": 0, "jitter": 0}
        run = started(publish(verified(bank, retry=retry)))
        hand.claim()
        hand.finish()

        ended = again(run)
        assert (ended.status, ended.error_class) == ("dead_letter", "unknown")
        assert "the verify request failed" in ended.error_message
        assert len(bank.sent("POST")) == 1
        assert len(bank.sent("GET")) == 3
        assert [row.verify for row in attempts(run)] == [0, 1, 2, 3]

    def test_the_last_attempt_is_verified_too(self, hand: Hand, bank: Bank) -> None:
        bank.knows(paid=True)
        run = started(publish(verified(bank, retry={"max_attempts": 1})))
        hand.claim()
        hand.record()
        turn(hand, run)

        assert again(run).status == "succeeded"

    def test_the_last_attempt_that_had_no_effect_ends_it(
        self, hand: Hand, bank: Bank
    ) -> None:
        run = started(publish(verified(bank, retry={"max_attempts": 1})))
        hand.claim()
        hand.record()
        turn(hand, run)

        assert again(run).status == "dead_letter"
        assert "it had no effect" in again(run).error_message

    def test_a_definite_answer_is_not_verified(self, hand: Hand, bank: Bank) -> None:
        bank.posts = answer(b"", "503 Busy")
        run = started(publish(verified(bank, retry=LATER)))
        hand.claim()
        hand.record()
        turn(hand, run)

        assert bank.sent("GET") == []
        assert len(bank.sent("POST")) == 2

    def test_a_worker_that_vanished_leaves_a_request_to_verify(
        self, hand: Hand, bank: Bank
    ) -> None:
        bank.knows(paid=True)
        run = started(publish(verified(bank)))
        hand.claim()
        hand.perform()  # and its result is lost
        reap(expire(run))
        heir = Hand()
        heir.claim_suspect()
        heir.finish()
        heir.close()

        assert again(run).status == "succeeded"
        assert len(bank.sent("POST")) == 1

    def test_a_worker_that_vanishes_while_it_verifies_changes_nothing(
        self, hand: Hand, bank: Bank
    ) -> None:
        run = started(publish(verified(bank, retry=LATER)))
        hand.claim()
        hand.record()
        make_due(run)
        hand.claim()
        bank.knows(paid=True)
        reap(expire(run))
        assert [row.verify for row in attempts(run)] == [0]
        heir = Hand()
        heir.claim_suspect()
        heir.finish()
        heir.close()

        assert again(run).status == "succeeded"
        assert len(bank.sent("POST")) == 1

    def test_a_stop_while_it_verifies_is_no_attempt(
        self, hand: Hand, bank: Bank
    ) -> None:
        run = started(publish(verified(bank, retry=LATER)))
        hand.claim()
        hand.record()
        make_due(run)
        hand.claim()
        (result,) = hand.perform()
        hand.record([replace(result, outcome=Interrupted())], free=0)

        row = step(run, "pay")
        assert (row.attempt, row.interrupted, row.status) == (1, True, "waiting")
        bank.knows(paid=True)
        hand.plan(run)
        hand.finish()
        assert again(run).status == "succeeded"

    def test_it_waits_for_a_permit_like_any_request(
        self, hand: Hand, bank: Bank
    ) -> None:
        link = Connection.objects.create(
            name="bank",
            kind="bearer",
            allowed_hosts=["127.0.0.1"],
            credentials={"token": "t-4711"},
            rate_limit="1/h",
        )
        bank.knows(paid=True)
        node = verified(bank, retry=LATER, config={"connection": "bank"})
        run = started(publish(node))
        hand.claim()
        hand.record()
        make_due(run)
        hand.claim()
        row = step(run, "pay")
        assert (row.waiting_for, row.attempt, row.verifies) == ("permit", 1, 0)
        assert row.interrupted
        RateBucket.objects.filter(scope=f"connection:{link.pk}").delete()
        turn(hand, run)

        assert again(run).status == "succeeded"
        assert b"Bearer t-4711" in bank.sent("GET")[0]
        shown = repr([row.__dict__ for row in attempts(run)])
        assert "t-4711" not in shown

    def test_a_redrive_verifies_first(self, hand: Hand, bank: Bank) -> None:
        bank.says = answer(b"", "503 Busy")
        retry = {"max_attempts": 1}
        run = started(publish(verified(bank, retry=retry)))
        hand.claim()
        hand.record()
        turn(hand, run)
        assert again(run).status == "dead_letter"
        bank.knows(paid=True)
        fresh = services.redrive(run, start="failed", by=make_user())
        hand.claim()
        hand.finish()

        assert Run.objects.get(replay_of=run).status == "succeeded", fresh
        assert len(bank.sent("POST")) == 1
