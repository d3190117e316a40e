"""Requests that nobody answered, where a person is asked what became of them."""

from __future__ import annotations

from typing import Any

import pytest

from runs import services
from runs.engine.reap import reap
from runs.models import Job, Run, WaitToken
from runs.services import Decision, Given
from tests.automate.lib.net.servers import answer
from tests.makers import make_user
from tests.runs.drains import Hand
from tests.runs.engine.bank import Bank, key_of
from tests.runs.flows import (
    again,
    call,
    expire,
    given,
    make_due,
    publish,
    started,
    step,
)

pytestmark = pytest.mark.usefixtures("engine")


class TestAsk:
    @pytest.fixture
    def asked(self, hand: Hand, bank: Bank) -> Run:
        flow = publish(
            call("pay", bank.url, on_unknown="ask"),
            given("z", paid="{{ steps.pay.body.id }}"),
        )
        run = started(flow)
        hand.claim()
        hand.record()
        return run

    def say(self, run: Run, decision: Decision, **more: Any) -> None:
        services.resume(run.pk, "pay", Given(decision, **more), by=make_user())

    def test_it_waits_for_a_person_and_sends_nothing(
        self, asked: Run, bank: Bank
    ) -> None:
        row = step(asked, "pay")
        assert (row.status, row.waiting_for) == ("waiting", "signal")
        token = WaitToken.objects.get()
        assert token.kind == "unknown"
        assert "was sent and not answered" in token.details["message"]
        assert Job.objects.get().lease_token is None
        assert len(bank.requests) == 1

    def test_it_has_happened(self, hand: Hand, asked: Run) -> None:
        self.say(asked, Decision.HAPPENED, comment="seen", body=b'{"id": 9}')
        hand.claim()
        hand.finish()

        assert again(asked).status == "succeeded"
        output = step(asked, "pay").output
        assert (output["body"], output["comment"]) == ({"id": 9}, "seen")
        assert step(asked, "z").output == {"paid": 9}
        assert step(asked, "pay").port == ""

    def test_it_has_not(self, hand: Hand, asked: Run, bank: Bank) -> None:
        self.say(asked, Decision.NOT_HAPPENED)
        hand.claim()
        hand.record()
        assert len(bank.sent("POST")) == 2
        assert step(asked, "pay").waiting_for == "signal", "unknown again: asked again"
        assert WaitToken.objects.get().decision == ""
        bank.posts = answer(b'{"id": 1}', "200 OK", "Content-Type: application/json")
        self.say(asked, Decision.NOT_HAPPENED)
        hand.claim()
        hand.finish()

        assert again(asked).status == "succeeded"
        assert len({key_of(item) for item in bank.sent("POST")}) == 1

    def test_it_is_given_up(self, hand: Hand, asked: Run) -> None:
        self.say(asked, Decision.GAVE_UP, comment="ask the bank")
        hand.claim()

        ended = again(asked)
        assert (ended.status, ended.error_class) == ("failed", "unknown")
        assert "ask the bank" in ended.error_message

    def test_another_kind_of_answer_is_refused(self, asked: Run) -> None:
        for decision in (Decision.APPROVED, Decision.RECEIVED):
            with pytest.raises(services.NotWaiting):
                self.say(asked, decision)

    def test_a_worker_that_vanished_is_asked_about(
        self, hand: Hand, bank: Bank
    ) -> None:
        run = started(publish(call("pay", bank.url, on_unknown="ask")))
        hand.claim()
        hand.perform()
        reap(expire(run))
        heir = Hand()
        heir.claim_suspect()
        heir.close()

        assert heir.tasks == []
        assert step(run, "pay").waiting_for == "signal"

    def test_nobody_answers(self, hand: Hand, asked: Run) -> None:
        make_due(asked)
        hand.claim()

        assert again(asked).error_class == "wait_timeout"
