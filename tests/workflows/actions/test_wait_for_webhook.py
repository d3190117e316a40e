from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.automate.lib.fakes import FakeClock
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import Fail, WaitForSignal
from workflows.definition import validate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(make_context: MakeContext) -> Any:
    def execute(config: dict[str, Any]) -> Any:
        context = make_context(config, clock=FakeClock(NOW))
        return get("wait_for_webhook").execute(context)

    return execute


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({}, timedelta(days=7)),
        ({"timeout": 90}, timedelta(seconds=90)),
        ({"timeout": "366d"}, timedelta(days=366)),
    ],
)
def test_it_waits_until_its_time_out(
    config: dict[str, Any], length: timedelta, run: Any
) -> None:
    assert run(config) == WaitForSignal(NOW + length, "webhook")


@pytest.mark.parametrize("timeout", ["", "0", "367d", None, True, [1]])
def test_a_time_out_that_is_none_fails(timeout: Any, run: Any) -> None:
    outcome = run({"timeout": timeout})
    assert isinstance(outcome, Fail)
    assert outcome.error.error_class == "BadConfig"


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({}, []),
        ({"timeout": "{{ variables.wait }}"}, []),
        ({"timeout": "367d"}, ["nodes[0].config.timeout"]),
        ({"methods": ["GET"]}, ["nodes[0].config.methods"]),
    ],
)
def test_a_wrong_config_is_told_with_its_place(
    config: dict[str, Any], places: list[str]
) -> None:
    node = {"id": "hook", "type": "wait_for_webhook", "config": config}
    definition = {"nodes": [node], "connections": [], "variables": {}}
    assert [p.path for p in validate(definition, all_actions())] == places


def test_what_waits_for_an_answer_says_so_and_nothing_else_does() -> None:
    found = {kind: action.answered_by for kind, action in all_actions().items()}
    assert {kind: by for kind, by in found.items() if by} == {
        "wait_for_webhook": "webhook",
        "approval": "approval",
    }
