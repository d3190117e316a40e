from __future__ import annotations

from typing import Any

import pytest

from tests.runs.drains import drained
from tests.runs.flows import again, edge, given, node, publish, started, step, steps
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import Done, Fail
from workflows.definition import validate


@pytest.mark.parametrize(
    ("condition", "continue_on", "passed"),
    [
        (True, True, True),
        (False, True, False),
        (True, False, False),
        (False, False, True),
    ],
)
def test_it_passes_when_the_truth_is_the_one_to_go_on_with(
    condition: bool,
    continue_on: bool,
    passed: bool,
    make_context: MakeContext,
) -> None:
    config = {"condition": condition, "continue_on": continue_on}
    port = "" if passed else "stopped"
    outcome = get("filter").execute(make_context(config))
    assert outcome == Done({"passed": passed}, port=port)


def test_true_is_what_it_goes_on_with_by_default(make_context: MakeContext) -> None:
    outcome = get("filter").execute(make_context({"condition": True}))
    assert outcome == Done({"passed": True})


@pytest.mark.parametrize("value", ["true", 1, None, []])
def test_what_a_template_makes_of_continue_on_must_be_a_truth(
    value: Any, make_context: MakeContext
) -> None:
    config = {"condition": True, "continue_on": value}
    outcome = get("filter").execute(make_context(config))
    assert isinstance(outcome, Fail)
    assert outcome.error.message.startswith("continue_on must be true or false")


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"condition": "trigger.payload.paid"}, []),
        ({"condition": True, "continue_on": "{{ variables.on }}"}, []),
        ({}, ["nodes[0].config.condition"]),
        ({"condition": ""}, ["nodes[0].config.condition"]),
        ({"condition": 200}, ["nodes[0].config.condition"]),
        ({"condition": "1 +"}, ["nodes[0].config.condition"]),
        ({"condition": "steps.other.x"}, ["nodes[0].config.condition"]),
        ({"condition": "secrets.TOKEN"}, ["nodes[0].config.condition"]),
        ({"condition": True, "continue_on": "yes"}, ["nodes[0].config.continue_on"]),
    ],
)
def test_validation_tells_what_is_wrong_before_it_runs(
    config: dict[str, Any], places: list[str]
) -> None:
    value = {
        "nodes": [{"id": "only", "type": "filter", "config": config}],
        "connections": [],
        "variables": {},
    }
    assert sorted({p.path for p in validate(value, all_actions())}) == places


def test_nothing_can_be_connected_to_what_stopped() -> None:
    value = {
        "nodes": [node("only", "filter", {"condition": True}), given("b")],
        "connections": [edge("only", "b", "stopped")],
        "variables": {},
    }
    (problem,) = validate(value, all_actions())
    assert problem.path == "connections[0].on"


@pytest.mark.django_db(transaction=True)
class TestInARun:
    def test_what_follows_runs_when_it_passes(self) -> None:
        only = node("only", "filter", {"condition": "{{first.status}} == 200"})
        flow = publish(given("first", status=200), only, given("after"))
        run = started(flow)
        drained()
        assert steps(run) == dict.fromkeys(("first", "only", "after"), "succeeded")
        assert step(run, "only").output == {"passed": True}
        assert again(run).stopped_by == []

    def test_what_follows_is_skipped_and_other_branches_go_on(self) -> None:
        only = node("only", "filter", {"condition": "{{ trigger.payload.n }} > 5"})
        flow = publish(
            given("first"),
            only,
            given("after"),
            given("other"),
            given("joined"),
            connections=[
                edge("first", "only"),
                edge("only", "after"),
                edge("first", "other"),
                edge("after", "joined"),
                edge("other", "joined"),
            ],
        )
        run = started(flow, {"n": 5})
        drained()
        assert steps(run) == {
            "first": "succeeded",
            "only": "succeeded",
            "after": "skipped",
            "other": "succeeded",
            "joined": "succeeded",
        }
        assert again(run).status == "succeeded"
        assert again(run).stopped_by == ["only"]

    def test_values_are_bound_and_never_pasted_into_the_condition(self) -> None:
        condition = "{{ trigger.payload.role }} == 'admin'"
        flow = publish(node("only", "filter", {"condition": condition}), given("after"))
        run = started(flow, {"role": "'admin' or 1"})
        drained()
        assert again(run).stopped_by == ["only"]
        assert steps(run)["after"] == "skipped"

    def test_continue_on_may_be_a_template(self) -> None:
        config = {
            "condition": "trigger.payload.paid",
            "continue_on": "{{ variables.want }}",
        }
        flow = publish(node("only", "filter", config), variables={"want": False})
        runs = [started(flow, {"paid": paid}) for paid in (False, True)]
        drained()
        assert [again(run).stopped_by for run in runs] == [[], ["only"]]
        assert step(runs[0], "only").input == {"condition": False, "continue_on": False}

    def test_a_condition_over_what_is_missing_fails_the_step_with_its_place(
        self,
    ) -> None:
        flow = publish(node("only", "filter", {"condition": "trigger.payload.paid"}))
        run = started(flow, {})
        drained()
        assert again(run).status == "failed"
        assert step(run, "only").error_message.startswith("config.condition: ")
