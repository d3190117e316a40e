"""A redrive of a run that had gone on from a failure, and of runs beside others."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from runs.models import Job, Run, StepRun
from runs.services import redrive
from runs.services.errors import RedriveRefused
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import Hand, drained
from tests.runs.flows import (
    accepted,
    again,
    call,
    edge,
    given,
    node,
    publish,
    started,
    step,
    steps,
)
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")
NOT_FOUND = answer(b"no", "404 Not Found")
BROKEN = "{{ trigger.payload.no_such_key }}"


@pytest.fixture
def refusing() -> Any:
    with Server(always(NOT_FOUND)) as server:
        yield server


class TestHandledFailures:
    def test_the_way_that_was_taken_is_kept(
        self, hand: Hand, refusing: Server, receiver: Server
    ) -> None:
        """Shown to fail when only succeeded steps are carried over: both ways ran."""
        last = given("last", x=BROKEN)
        links = [
            edge("first", "good"),
            edge("first", "plan_b", "failure"),
            edge("good", "last"),
            edge("plan_b", "last"),
        ]
        nodes = [given("good"), given("plan_b")]
        first = call("first", refusing.url, on_error="branch")
        flow = publish(first, *nodes, last, connections=links)
        run = started(flow)
        hand.claim()
        hand.finish()
        assert again(run).status == "failed"
        mended = call("first", receiver.url, on_error="branch")
        publish(mended, *nodes, given("last"), connections=links, workflow=flow)

        fresh = redrive(run, by=None, start="failed", version="latest")
        hand.claim()
        hand.finish()

        assert steps(fresh) == {
            "first": "failed",
            "good": "skipped",
            "plan_b": "succeeded",
            "last": "succeeded",
        }
        assert not receiver.requests
        carried = step(fresh, "first")
        assert carried.error_message == step(run, "first").error_message

    def test_from_a_step_nothing_before_it_is_sent_again(
        self, hand: Hand, refusing: Server
    ) -> None:
        """Shown to fail when only succeeded steps are carried over."""
        flow = publish(
            call("a", refusing.url, on_error="continue"), given("c", x=BROKEN)
        )
        run = started(flow)
        hand.claim()
        hand.finish()
        publish(call("a", refusing.url, on_error="continue"), given("c"), workflow=flow)
        redrive(run, by=None, start="c", version="latest")
        hand.claim()
        hand.finish()

        assert len(refusing.requests) == 1

    def test_the_failure_that_ended_the_run_is_tried_again(
        self, hand: Hand, refusing: Server
    ) -> None:
        run = started(publish(given("a"), call("b", refusing.url)))
        hand.claim()
        hand.finish()
        redrive(run, by=None, start="failed")
        hand.claim()
        hand.finish()

        assert len(refusing.requests) == 2


def test_a_step_that_is_called_like_a_keyword(hand: Hand) -> None:
    run = started(publish(given("first"), given("start"), given("failed")))
    hand.claim()
    hand.finish()

    fresh = redrive(run, by=None, start="step:failed")
    rows = StepRun.objects.filter(run=fresh, carried_from__isnull=False)
    assert set(rows.values_list("node_id", flat=True)) == {"first", "start"}


class TestExclusiveKeys:
    def flow(self) -> Workflow:
        return publish(given("a", x=BROKEN), exclusive="{{ trigger.payload.account }}")

    def key(self, run: Run) -> str:
        return Job.objects.get(run=run).exclusive_key

    def test_a_large_event_has_its_key_again(self, engine: Settings) -> None:
        """Shown to fail with the key read from what stands in the row."""
        flow = self.flow()
        run = started(flow, {"account": 7, "text": "x" * 200_000})
        drained()
        small = started(flow, {"account": 7})
        drained()

        fresh = redrive(run, by=None)
        assert self.key(fresh)
        drained()
        assert self.key(redrive(small, by=None)) == self.key_of(7)

    def key_of(self, account: int) -> str:
        from runs.engine.exclusive_key import key_of

        scope = {"trigger": {"payload": {"account": account}}}
        return key_of("{{ trigger.payload.account }}", scope)

    def test_an_item_of_a_loop_has_none(self) -> None:
        """Shown to fail with a key made of the item."""
        loop = node(
            "each",
            "for_each",
            {
                "items": [{"account": 1}],
                "nodes": [given("x", y="{{ item.no_such_key }}")],
                "connections": [],
            },
        )
        flow = publish(loop, exclusive="{{ trigger.payload.account }}")
        parent = started(flow, {"account": 7})
        drained()
        item = Run.objects.get(parent=parent)

        assert self.key(redrive(item, by=None)) == ""


class TestLoopsThatWentOn:
    def loop(self, receiver: Server) -> Run:
        """Three items, of which the middle one failed; the run succeeded."""
        config = {
            "items": "{{ trigger.payload }}",
            "on_item_error": "continue",
            "nodes": [call("send", receiver.url, config={"body": "{{ item.n }}"})],
            "connections": [],
        }
        each = node("each", "for_each", config)
        flow = publish(given("a"), each, given("b", n="{{ steps.each.count }}"))
        run = started(flow, [{"n": 0}, {"m": 1}, {"n": 2}])
        drained()
        return again(run)

    def test_only_the_items_that_failed_are_repeated(self, receiver: Server) -> None:
        """Shown to fail when a run that succeeded has nothing to repeat."""
        run = self.loop(receiver)
        assert (run.status, len(receiver.requests)) == ("succeeded", 2)

        fresh = redrive(run, by=None, start="failed")
        drained()

        assert again(fresh).status == "succeeded"
        assert len(receiver.requests) == 2, "the middle one fails again, unsent"
        children = Run.objects.filter(parent=fresh)
        assert [child.item_index for child in children] == [1]
        rows = StepRun.objects.filter(run=fresh, carried_from__isnull=False)
        assert [row.node_id for row in rows] == ["a"]

    def test_from_the_loop_itself_every_item_is_repeated(
        self, receiver: Server
    ) -> None:
        run = self.loop(receiver)
        redrive(run, by=None, start="each")
        drained()

        assert len(receiver.requests) == 4

    def test_one_without_such_items_is_refused(self, receiver: Server) -> None:
        run = started(publish(given("a")))
        drained()

        with pytest.raises(RedriveRefused, match="from the start or from a step"):
            redrive(again(run), by=None, start="failed")


class TestNeighbours:
    def loop(self) -> tuple[Run, list[Run]]:
        """A loop of which two items failed, all of it ended."""
        body = [given("x", y="{{ item.no_such_key }}")]
        config = {
            "items": [{}, {}],
            "on_item_error": "continue",
            "nodes": body,
            "connections": [],
        }
        parent = started(publish(node("each", "for_each", config)))
        drained()
        return parent, list(Run.objects.filter(parent=parent).order_by("item_index"))

    def test_two_items_can_be_redriven_side_by_side(self) -> None:
        """Shown to fail when the whole family counts as one event."""
        _, (first, second) = self.loop()
        redrive(first, by=None)

        assert redrive(second, by=None).item_index == 1

    def test_one_item_cannot_be_twice_at_once(self) -> None:
        _, (first, _) = self.loop()
        redrive(first, by=None)

        with pytest.raises(RedriveRefused, match="is still under way"):
            redrive(first, by=None)

    def test_the_loop_is_not_redriven_while_an_item_is(self) -> None:
        config = {
            "items": [{}],
            "nodes": [given("x", y="{{ item.no_such_key }}")],
            "connections": [],
        }
        parent = started(publish(node("each", "for_each", config)))
        drained()
        redrive(Run.objects.get(parent=parent), by=None)

        with pytest.raises(RedriveRefused, match="which this run started"):
            redrive(parent, by=None)

    def test_no_two_of_the_family_share_a_key(self) -> None:
        """An item redriven alone, and then its whole loop."""
        parent, (first, _) = self.loop()
        alone = redrive(first, by=None)
        drained()
        whole = redrive(parent, by=None)
        drained()

        same = Run.objects.get(parent=whole, item_index=0)
        keys = {
            StepRun.objects.get(run=run, node_id="x").idempotency_key
            for run in (first, alone, same)
        }
        assert len(keys) == 3

    def test_a_run_that_nobody_waits_for_stands_in_no_ones_way(self) -> None:
        """Shown to fail when every living child refuses the redrive."""
        slow = publish(node("wait", "delay", {"duration": 3600}), slug="slow-one")
        assert slow.status == "active"
        config = {"workflow": "slow-one", "wait": False}
        flow = publish(node("go", "run_workflow", config), given("b", x=BROKEN))
        run = Run.objects.get(pk=accepted(flow).run_id)
        drained(lambda: again(run).is_final)

        assert redrive(run, by=None, start="failed")
