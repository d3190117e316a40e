from __future__ import annotations

import pytest

from tests.runs.drains import drained
from tests.runs.flows import again, edge, given, node, publish, started, step, steps
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import Done
from workflows.definition import validate


@pytest.mark.parametrize(("truth", "port"), [(True, "true"), (False, "false")])
def test_it_takes_the_port_of_the_truth(
    truth: bool,
    port: str,
    make_context: MakeContext,
) -> None:
    outcome = get("branch").execute(make_context({"condition": truth}))
    assert outcome == Done({"result": truth}, port=port)


def test_its_ports_are_true_false_and_those_of_every_step() -> None:
    ports = get("branch").ports_for({})
    assert sorted(ports) == ["failure", "false", "success", "true"]
    value = {
        "nodes": [node("big", "branch", {"condition": True}), given("b")],
        "connections": [edge("big", "b", "yes")],
        "variables": {},
    }
    (problem,) = validate(value, all_actions())
    assert problem.path == "connections[0].on"
    assert "it has failure, false, success, true" in problem.message


@pytest.mark.django_db(transaction=True)
class TestInARun:
    def test_one_way_runs_and_the_other_is_skipped(self) -> None:
        flow = publish(
            node("big", "branch", {"condition": "{{ trigger.payload.total }} >= 100"}),
            given("call"),
            given("mail"),
            given("always"),
            given("joined"),
            connections=[
                edge("big", "call", "true"),
                edge("big", "mail", "false"),
                edge("big", "always"),
                edge("call", "joined"),
                edge("mail", "joined"),
            ],
        )
        large, small = started(flow, {"total": 100}), started(flow, {"total": 99})
        drained()
        ran = {"big", "always", "joined"}
        for run, way, other in ((large, "call", "mail"), (small, "mail", "call")):
            expected = dict.fromkeys({*ran, way}, "succeeded") | {other: "skipped"}
            assert steps(run) == expected
            assert again(run).status == "succeeded"
            assert again(run).stopped_by == []
        assert step(large, "big").output == {"result": True}
        assert step(small, "big").port == "false"

    def test_a_condition_that_cannot_be_decided_may_take_the_failure_port(
        self,
    ) -> None:
        flow = publish(
            node(
                "big", "branch", {"condition": "trigger.payload.x"}, on_error="branch"
            ),
            given("no"),
            given("rescue"),
            connections=[edge("big", "no", "false"), edge("big", "rescue", "failure")],
        )
        run = started(flow, {})
        drained()
        assert steps(run) == {"big": "failed", "no": "skipped", "rescue": "succeeded"}
