"""What is made within a transaction: inputs of called runs, answers to waits."""

from __future__ import annotations

import json

import pytest

from automate.lib.payloads import PayloadStore, PayloadStoreAway, opened
from runs.models import Payload, PayloadUse, WaitToken
from runs.services import AlreadyAnswered, Decision, Given, redrive, resume
from tests.runs.drains import Hand, drained
from tests.runs.flows import (
    again,
    calling,
    children,
    given,
    loop,
    publish,
    started,
    step,
)
from tests.runs.payloads.stored import BIG, all_in, column, is_moved, uses
from tests.runs.stores import KINDS
from tests.runs.waiting import hook, token, waiting
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine", "limits")
in_every_store = pytest.mark.parametrize("store", KINDS, indirect=True)
in_the_database = pytest.mark.parametrize("store", ["database"], indirect=True)
LARGE = Given(
    Decision.RECEIVED,
    body=json.dumps({"text": BIG}).encode(),
    content_type="application/json",
)


def caller(callee: Workflow) -> Workflow:
    return publish(calling("call", callee.slug, {"text": "{{ trigger.payload.text }}"}))


class TestInputsOfCalledRuns:
    @in_every_store
    def test_a_large_one_leaves_its_row_where_that_awaits_no_network(
        self, store: PayloadStore
    ) -> None:
        callee = publish(given("copy", n="{{ trigger.payload.text | length }}"))
        run = started(caller(callee), {"text": BIG})
        drained()
        (child,) = children(run)
        assert again(run).status == "succeeded", again(run).error_message
        assert is_moved(child, "body") is not store.external
        assert step(child, "copy").output == {"n": len(BIG)}

    @in_the_database
    def test_it_is_referred_to_by_the_called_run(self, store: PayloadStore) -> None:
        callee = publish(given("a", n=1))
        run = started(caller(callee), {"text": BIG})
        drained()
        (child,) = children(run)
        assert len(uses(child)) == 1
        assert uses(child) <= all_in(store)

    @in_the_database
    def test_the_step_that_waits_keeps_no_second_copy(
        self, store: PayloadStore, hand: Hand
    ) -> None:
        callee = publish(given("a", n=1))
        run = started(caller(callee), {"text": BIG})
        hand.claim()
        hand.record()
        assert step(run, "call").status == "waiting"
        assert len(column(step(run, "call"), "output")) < 1_000

    @in_the_database
    def test_a_redrive_knows_it_again(self, store: PayloadStore) -> None:
        callee = publish(given("a", n=1))
        call = calling("call", callee.slug, {"text": "{{ trigger.payload.text }}"})
        bad = given("bad", x="{{ trigger.payload.nothing.there }}")
        run = started(publish(loop("each", [1], call, bad)), {"text": BIG})
        drained()
        assert again(run).status == "failed"
        redrive(again(run), by=None, start="failed")
        drained()
        called = callee.runs.all()
        assert called.count() == 1, "it had succeeded with the same input"

    @in_the_database
    def test_the_item_of_a_loop_stays_in_its_row(self, store: PayloadStore) -> None:
        run = started(
            publish(loop("each", "{{ trigger.payload }}", given("a", x="{{ item }}"))),
            [BIG],
        )
        drained()
        (child,) = children(run)
        assert not is_moved(child, "body")
        assert opened(step(child, "a").output) == {"x": BIG}


class TestAnswers:
    @in_every_store
    def test_a_large_one_leaves_the_rows(self, store: PayloadStore, hand: Hand) -> None:
        flow = publish(
            hook(), given("next", n="{{ steps.hook.payload.text | length }}")
        )
        run = waiting(hand, flow)
        assert resume(run.pk, "hook", LARGE)
        assert is_moved(step(run, "hook"), "output")
        assert uses(run) <= all_in(store)
        assert bytes(token(run, "hook").body) == b"", "the output has it"
        drained()
        assert step(run, "next").output == {"n": len(BIG)}
        output = opened(step(run, "hook").output)
        assert output["payload"] == {"text": BIG}
        answered_at = token(run, "hook").answered_at
        assert answered_at is not None
        assert output["received_at"] == answered_at.isoformat().replace("+00:00", "Z")

    @in_every_store
    def test_one_that_comes_before_its_step_waits(
        self, store: PayloadStore, hand: Hand
    ) -> None:
        """The drain that takes it over awaits no network."""
        flow = publish(
            given("first", n=1),
            hook(),
            given("next", n="{{ steps.hook.payload.text | length }}"),
        )
        run = started(flow)
        assert not resume(run.pk, "hook", LARGE)
        assert bytes(token(run, "hook").body) == LARGE.body
        assert all_in(store) == set()
        drained()
        assert step(run, "next").output == {"n": len(BIG)}
        assert is_moved(step(run, "hook"), "output") is not store.external

    @in_every_store
    def test_a_refused_one_leaves_nothing(
        self, store: PayloadStore, hand: Hand
    ) -> None:
        run = waiting(hand, publish(hook()))
        assert resume(run.pk, "hook", LARGE)
        before = all_in(store)
        with pytest.raises(AlreadyAnswered):
            resume(run.pk, "hook", LARGE)
        assert all_in(store) == before
        assert PayloadUse.objects.count() == 1

    @in_every_store
    def test_a_small_one_stays(self, store: PayloadStore, hand: Hand) -> None:
        run = waiting(hand, publish(hook()))
        assert resume(run.pk, "hook", Given(Decision.RECEIVED, body=b"1"))
        assert not is_moved(step(run, "hook"), "output")
        assert bytes(WaitToken.objects.get().body) == b"1"
        assert not Payload.objects.exists()

    @pytest.mark.parametrize("store", ["files"], indirect=True)
    def test_with_the_store_away_nothing_is_answered(
        self, store: PayloadStore, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = waiting(hand, publish(hook()))

        def away(*_: object) -> None:
            raise PayloadStoreAway("gone")

        monkeypatch.setattr(type(store), "write", away)
        with pytest.raises(PayloadStoreAway):
            resume(run.pk, "hook", LARGE)
        assert token(run, "hook").decision == ""
        assert step(run, "hook").status == "waiting"
