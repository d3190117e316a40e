"""Calls that are refused before they begin: a key that is held above, odd variables."""

from __future__ import annotations

import pytest

from runs.engine.exclusive_key import exclusive_key
from runs.models import Job, Run
from runs.services import Event, Target, accept, redrive
from tests.runs.drains import drained
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
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")
OWN = "It has the same exclusive key as this run: each would wait for the other."
ABOVE = (
    "It has the same exclusive key as a run that waits for this one: each would wait "
    "for the other."
)
BODY = b'{"k": 1}'
SAME = {"k": 1}


def exclusive() -> Workflow:
    return publish(given("a", n=1), exclusive="{{ trigger.payload.k }}")


def arrived(workflow: Workflow, body: bytes = BODY) -> Run:
    """A run of the key 1, as an event makes it."""
    assert workflow.published_id is not None
    event = Event(body, "application/json")
    key = exclusive_key(workflow, event)
    target = Target(workflow.pk, workflow.published_id, exclusive_key=key)
    return Run.objects.get(pk=accept(target, event).run_id)


class TestKeysOfTheRunsAbove:
    """A run that waits holds its key: nothing that it waits for may want the same."""

    def test_the_callers_own_key_is_refused(self) -> None:
        flow = exclusive()
        publish(calling("call", flow.slug, SAME), workflow=flow)
        run = arrived(flow)
        drained()
        assert (again(run).error_class, again(run).error_message) == (
            "workflow_refused",
            f"Step call: {OWN}",
        )

    def test_through_another_workflow(self) -> None:
        flow = exclusive()
        between = publish(calling("back", flow.slug, SAME))
        publish(calling("call", between.slug), workflow=flow)
        run = arrived(flow)
        drained()
        (middle,) = children(run)
        assert again(middle).error_message == f"Step back: {ABOVE}"
        assert children(middle) == []
        assert again(run).status == "failed"

    def test_from_the_items_of_a_loop_at_any_depth(self) -> None:
        flow = exclusive()
        back = calling("back", flow.slug, SAME)
        publish(loop("each", [1], loop("in", [1, 2], back)), workflow=flow)
        run = arrived(flow)
        drained()
        assert again(run).status == "failed"
        assert Run.objects.filter(error_message=f"Step back: {ABOVE}").exists()
        assert Run.objects.filter(workflow=flow, depth=3).count() == 0

    def test_another_value_may_be_called(self) -> None:
        flow = exclusive()
        back = calling("back", flow.slug, {"k": 2, "again": []})
        publish(loop("each", "{{ trigger.payload.again }}", back), workflow=flow)
        run = arrived(flow, b'{"k": 1, "again": [1]}')
        drained()
        assert again(run).status == "succeeded"
        assert Run.objects.filter(workflow=flow, depth=2).count() == 1

    def test_who_does_not_wait_may_start_it(self) -> None:
        """Neither of these waits for what it starts, so each gets its turn."""
        flow = exclusive()
        back = calling("back", flow.slug, SAME, config={"wait": False})
        publish(loop("each", [1], back), given("a", n=1), workflow=flow)
        run = arrived(flow)
        drained(lambda: Run.objects.filter(workflow=flow, depth=2).exists())
        drained(lambda: again(run).is_final)
        assert again(run).status == "succeeded"

    def test_a_run_above_that_does_not_wait_stands_in_nobodys_way(self) -> None:
        flow = exclusive()
        between = publish(calling("back", flow.slug, SAME))
        detached = calling("call", between.slug, config={"wait": False})
        publish(detached, workflow=flow)
        run = arrived(flow)
        drained(lambda: Run.objects.filter(workflow=flow, depth=2).exists())
        assert again(run).status == "succeeded"
        (middle,) = children(run)
        assert again(middle).error_message == ""

    def test_a_child_redriven_alone_is_waited_for_by_nobody(self) -> None:
        flow = exclusive()
        between = publish(calling("back", flow.slug, SAME))
        publish(calling("call", between.slug), workflow=flow)
        run = arrived(flow)
        drained()
        (middle,) = children(run)
        publish(given("a", n=1), workflow=flow)
        later = redrive(again(middle), by=None)
        drained()
        assert again(later).status == "succeeded"
        assert step(later, "back").output["status"] == "succeeded"


class TestVariables:
    """As at any other start: a name that is not declared is a mistyped one."""

    def test_a_name_that_is_not_declared_is_refused_with_what_was_meant(self) -> None:
        callee = publish(given("a", n=1), variables={"region": "us"})
        odd = {"variables": {"regoin": "eu"}}
        run = started(publish(calling("call", callee.slug, config=odd)))
        drained()
        assert again(run).error_class == "workflow_refused"
        assert again(run).error_message == (
            "Step call: It cannot be given these variables: variables.regoin: unknown; "
            'declared are region; did you mean "region"?'
        )
        assert children(run) == []

    def test_a_workflow_that_declares_none_says_so(self) -> None:
        callee = publish(given("a", n=1))
        odd = {"variables": {"x": 1}}
        run = started(publish(calling("call", callee.slug, config=odd)))
        drained()
        assert "variables.x: unknown; none is declared" in again(run).error_message

    def test_without_waiting_it_is_refused_too(self) -> None:
        callee = publish(given("a", n=1))
        odd = {"variables": {"x": 1}, "wait": False}
        run = started(publish(calling("call", callee.slug, config=odd)))
        drained()
        assert again(run).error_class == "workflow_refused"
        assert not Job.objects.exists()

    def test_declared_ones_take_the_place_of_its_own(self) -> None:
        callee = publish(
            given("a", region="{{ variables.region }}", n="{{ variables.n }}"),
            variables={"region": "us", "n": 1},
        )
        right = {"variables": {"region": "eu"}}
        run = started(publish(calling("call", callee.slug, config=right)))
        drained()
        assert step(run, "call").output["output"] == {"region": "eu", "n": 1}

    def test_two_steps_of_one_run_are_told_apart(self) -> None:
        """They finish in one turn; only one of them gives variables."""
        callee = publish(given("a", n=1), variables={"region": "us"})
        wrong = calling("b", callee.slug, config={"variables": {"x": 1}})
        flow = publish(calling("a", callee.slug), wrong, connections=[])
        run = started(flow)
        drained()
        assert "variables.x: unknown; declared are region" in again(run).error_message
