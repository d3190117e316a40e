"""A placeholder does nothing, and never pretends to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import Done, Fail
from workflows.definition import validate
from workflows.services.no_effect import no_effect


def definition(*edges: dict[str, str], **config: Any) -> dict[str, Any]:
    config = {"reason": "to be written", **config}
    nodes = [
        {"id": "here", "type": "placeholder", "config": config},
        {"id": "part", "type": "set", "config": {"values": {}}},
    ]
    return {"nodes": nodes, "connections": list(edges), "variables": {}}


def test_a_run_that_reaches_it_fails_and_says_why(make_context: MakeContext) -> None:
    outcome = get("placeholder").execute(make_context({"reason": "why", "was": "code"}))
    assert isinstance(outcome, Fail)
    assert outcome.error.error_class == "NotConverted"
    assert "why" in outcome.error.message


def test_one_that_was_nothing_else_just_stops(make_context: MakeContext) -> None:
    outcome = get("placeholder").execute(make_context({"reason": "no stock"}))
    assert isinstance(outcome, Fail)
    assert (outcome.error.error_class, outcome.error.message) == ("Stopped", "no stock")


def test_it_may_be_passed_with_a_warning(make_context: MakeContext) -> None:
    config = {"reason": "why", "reached": "pass"}
    outcome = get("placeholder").execute(make_context(config))
    assert isinstance(outcome, Done)
    assert [line.level for line in outcome.logs] == ["warning"]


def test_what_hangs_on_it_may_be_connected() -> None:
    edge = {"from": "here", "to": "part", "on": "attached"}
    assert validate(definition(edge), all_actions()) == []


@pytest.mark.parametrize("was", ["", "n8n-nodes-base.code"])
def test_publishing_warns_of_what_is_still_to_be_made(was: str) -> None:
    found = list(no_effect(definition(**({"was": was} if was else {}))))
    assert [problem.path for problem in found] == (["nodes[0]"] if was else [])
