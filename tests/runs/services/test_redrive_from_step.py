"""redrive from a named step: what comes before it stays, it and the rest run anew."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import Run, StepRun
from runs.services import redrive
from runs.services.errors import RedriveRefused
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import Hand
from tests.runs.flows import (
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


def to_the_end(hand: Hand, run: Run) -> Run:
    hand.claim()
    hand.finish()
    return again(run)


def diamond(**fields: Any) -> Workflow:
    """a -> b -> d, a -> c -> d."""
    return publish(
        given("a", n="{{ trigger.payload.n }}"),
        given("b", n="{{ steps.a.n + 1 }}"),
        given("c", n="{{ steps.a.n + 2 }}"),
        given("d", n="{{ steps.b.n + steps.c.n }}"),
        connections=[edge("a", "b"), edge("a", "c"), edge("b", "d"), edge("c", "d")],
        **fields,
    )


def switch(case: str) -> dict[str, Any]:
    cases = [{"name": case, "equals": "x"}]
    return node("c", "switch", {"value": "x", "cases": cases})


def carried(run: Run) -> set[str]:
    rows = StepRun.objects.filter(run=run, carried_from__isnull=False)
    return set(rows.values_list("node_id", flat=True))


def test_it_and_what_follows_run_anew(hand: Hand) -> None:
    """Shown to fail when only the named step is left out."""
    run = to_the_end(hand, started(diamond(), {"n": 1}))
    fresh = redrive(run, by=None, start="b")
    to_the_end(hand, fresh)

    assert carried(fresh) == {"a", "c"}
    assert set(steps(fresh).values()) == {"succeeded"}
    assert step(fresh, "d").output == {"n": 5}


def test_a_succeeded_run_can_be_redriven_from_a_step(hand: Hand) -> None:
    run = to_the_end(hand, started(diamond(), {"n": 1}))

    assert run.status == "succeeded"
    assert to_the_end(hand, redrive(run, by=None, start="d")).status == "succeeded"


def test_an_effect_that_was_answered_gets_a_new_key(hand: Hand) -> None:
    with Server(always(answer(body=b"{}"))) as server:
        flow = publish(given("a"), call("b", server.url))
        run = to_the_end(hand, started(flow))
        fresh = redrive(run, by=None, start="b")
        to_the_end(hand, fresh)

    assert step(fresh, "b").idempotency_key != step(run, "b").idempotency_key
    assert len(server.requests) == 2


def test_a_branch_that_was_taken_is_kept(hand: Hand) -> None:
    choice = node("choice", "branch", {"condition": "{{ trigger.payload.n > 1 }}"})
    flow = publish(
        choice,
        given("yes", n="{{ trigger.payload.n }}"),
        given("no"),
        connections=[edge("choice", "yes", "true"), edge("choice", "no", "false")],
    )
    run = to_the_end(hand, started(flow, {"n": 2}))
    fresh = redrive(run, by=None, start="yes")
    to_the_end(hand, fresh)

    assert steps(fresh) == {"choice": "succeeded", "yes": "succeeded", "no": "skipped"}


class TestRefusals:
    def refused(self, run: Run, **options: Any) -> str:
        count = Run.objects.count()
        with pytest.raises(RedriveRefused) as caught:
            redrive(run, by=None, **options)
        assert Run.objects.count() == count, "a refusal leaves nothing behind"
        return caught.value.message

    def test_a_step_that_does_not_exist(self, hand: Hand) -> None:
        run = to_the_end(hand, started(diamond(), {"n": 1}))

        message = self.refused(run, start="z")
        assert message == (
            'Version 1 has no step "z"; it has a, b, c, d. Redrive from one of them, '
            'from "start" or from "failed".'
        )

    def test_a_step_that_never_began(self, hand: Hand) -> None:
        flow = publish(given("a", x="{{ trigger.payload.gone }}"), given("b"))
        run = to_the_end(hand, started(flow))

        message = self.refused(run, start="b")
        assert 'Step "b" never began in this run' in message

    def test_a_step_to_which_nothing_leads_any_more(self, hand: Hand) -> None:
        """Shown to fail without a look at what the plan would skip."""
        choice = node("choice", "branch", {"condition": "{{ trigger.payload.n > 1 }}"})
        links = [edge("choice", "yes", "true"), edge("choice", "no", "false")]
        flow = publish(choice, given("yes"), given("no"), connections=links)
        run = to_the_end(hand, started(flow, {"n": 2}))
        swapped = [edge("choice", "yes", "false"), edge("choice", "no", "true")]
        publish(choice, given("yes"), given("no"), connections=swapped, workflow=flow)

        message = self.refused(run, start="yes", version="latest")
        assert 'No connection into "yes" is taken' in message

    def test_a_version_in_which_finished_steps_have_no_place_is_told_whole(
        self, hand: Hand
    ) -> None:
        """Shown to fail when the first misfit ends the check."""
        choice = switch("one")
        flow = publish(given("a"), given("b"), choice, given("d"))
        run = to_the_end(hand, started(flow))
        assert run.status == "succeeded", run.error_message
        other = switch("two")
        publish(node("b", "delay", {"duration": 1}), other, given("d"), workflow=flow)

        message = self.refused(run, start="d", version="latest")
        assert "Step a had finished and is not in version 2." in message
        assert "Step b had finished as set; in version 2 it is delay." in message
        assert 'Step c had taken "one", which it does not have in version 2.' in message

    def test_while_a_child_run_is_under_way(self, hand: Hand) -> None:
        run = to_the_end(hand, started(diamond(), {"n": 1}))
        child = started(run.workflow, {"n": 1})
        Run.objects.filter(pk=child.pk).update(parent=run, parent_node="x", depth=1)

        assert f"Run {child.pk}, which this run started" in self.refused(run)
