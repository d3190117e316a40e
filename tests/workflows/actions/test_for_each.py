"""What `for_each` and `run_workflow` ask the engine for, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runs.flows import given, loop, node
from tests.workflows.actions.conftest import MakeContext
from workflows.actions import for_each
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import Done, Fail, Outcome, StartChildren
from workflows.definition import validate


def execute(make: MakeContext, kind: str, config: Any, **changes: Any) -> Outcome:
    return get(kind).execute(make(config, **changes))


def problems(*nodes: dict[str, Any], **more: Any) -> dict[str, str]:
    value = {"nodes": list(nodes), "connections": [], "variables": {}, **more}
    return {problem.path: problem.message for problem in validate(value, all_actions())}


class TestForEach:
    def test_a_list_is_taken_as_it_is(self, make_context: MakeContext) -> None:
        outcome = execute(make_context, "for_each", {"items": [1, {"a": 2}]})
        assert outcome == StartChildren((1, {"a": 2}), concurrency=10)

    def test_of_an_object_each_entry_is_an_item(
        self, make_context: MakeContext
    ) -> None:
        outcome = execute(make_context, "for_each", {"items": {"a": 1, "b": None}})
        assert isinstance(outcome, StartChildren)
        assert outcome.inputs == (
            {"key": "a", "value": 1},
            {"key": "b", "value": None},
        )

    @pytest.mark.parametrize("items", [[], {}])
    def test_nothing_to_do_is_done(self, make_context: MakeContext, items: Any) -> None:
        outcome = execute(make_context, "for_each", {"items": items})
        assert outcome == Done({"results": [], "count": 0, "failed": []})

    @pytest.mark.parametrize(
        ("config", "why"),
        [
            ({"items": "[1]"}, "must be a list or an object, and this is a text"),
            ({"items": True}, "this is true or false"),
            ({"items": [1, 2, 3, 4]}, "AUTOMATE_MAX_ITEMS allows 3"),
            ({"items": [float("nan")]}, "items[0] has no form in JSON"),
            ({"items": ["\ud800"]}, "items[0] has no form in JSON"),
            ({"items": [1], "concurrency": 0}, "a whole number from 1 to 1000"),
            ({"items": [1], "concurrency": True}, "a whole number from 1 to 1000"),
            ({"items": [1], "concurrency": "5"}, "a whole number from 1 to 1000"),
            ({"items": [1], "on_item_error": "ask"}, "must be stop or continue"),
        ],
    )
    def test_what_it_cannot_use_is_refused_with_the_reason(
        self, make_context: MakeContext, config: Any, why: str
    ) -> None:
        outcome = execute(make_context, "for_each", config, max_items=3)
        assert isinstance(outcome, Fail)
        assert outcome.error.error_class == "BadConfig"
        assert why in outcome.error.message

    def test_items_that_are_too_large_together_are_refused(
        self, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(for_each, "MAX_TOTAL", 10)
        outcome = execute(make_context, "for_each", {"items": ["abcdef", "ghijkl"]})
        assert isinstance(outcome, Fail)
        assert "have 16 bytes as JSON; all together may have 10" in (
            outcome.error.message
        )

    def test_its_body_and_ports_are_checked_at_publish(self) -> None:
        each = loop("each", "{{ trigger.payload }}", given("a", n="{{ item }}"))
        assert problems(each) == {}
        edge = {"from": "each", "to": "b", "on": "item_failed"}
        assert problems(each, given("b"), connections=[edge]) == {}

    def test_the_same_bounds_hold_at_publish(self) -> None:
        found = problems(loop("each", [1], given("a", n=1), concurrency=1001))
        assert list(found) == ["nodes[0].config.concurrency"]


class TestRunWorkflow:
    def test_it_starts_one_run(self, make_context: MakeContext) -> None:
        config = {"workflow": "books", "input": {"n": 1}, "variables": {"a": 2}}
        outcome = execute(make_context, "run_workflow", config)
        assert outcome == StartChildren(
            ({"n": 1},), workflow="books", variables={"a": 2}
        )

    def test_without_waiting_too(self, make_context: MakeContext) -> None:
        config = {"workflow": "books", "wait": False}
        outcome = execute(make_context, "run_workflow", config)
        assert outcome == StartChildren((None,), workflow="books", waits=False)

    @pytest.mark.parametrize(
        ("config", "why"),
        [
            ({"workflow": ""}, "must be the short name of a workflow"),
            ({"workflow": 7}, "must be the short name of a workflow"),
            ({"workflow": "a", "variables": [1]}, "an object of names and values"),
            ({"workflow": "a", "input": float("inf")}, "has no form in JSON"),
        ],
    )
    def test_what_it_cannot_use_is_refused_with_the_reason(
        self, make_context: MakeContext, config: Any, why: str
    ) -> None:
        outcome = execute(make_context, "run_workflow", config)
        assert isinstance(outcome, Fail)
        assert why in outcome.error.message

    def test_it_needs_a_workflow(self) -> None:
        assert "workflow" in str(problems(node("call", "run_workflow")))
