from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automate.lib.redaction import Redactor
from tests.automate.lib.fakes import FakeClock
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.approval import LARGEST_DETAILS, LONGEST_MESSAGE
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import Fail, WaitForSignal
from workflows.definition import validate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(make_context: MakeContext) -> Any:
    def execute(config: dict[str, Any], **changes: Any) -> Any:
        changes.setdefault("clock", FakeClock(NOW))
        return get("approval").execute(make_context(config, **changes))

    return execute


def problems(config: dict[str, Any], *edges: str) -> dict[str, str]:
    nodes: list[Any] = [{"id": "ask", "type": "approval", "config": config}]
    nodes += [{"id": e, "type": "set", "config": {"values": {}}} for e in edges]
    links = [{"from": "ask", "to": e, "on": e} for e in edges]
    definition = {"nodes": nodes, "connections": links, "variables": {}}
    found = validate(definition, all_actions())
    return {p.path.removeprefix("nodes[0].config"): p.message for p in found}


def test_it_waits_for_a_decision(run: Any) -> None:
    outcome = run({"message": "Ship it?", "details": {"n": 1}, "timeout": "2h"})
    assert outcome == WaitForSignal(
        NOW + timedelta(hours=2),
        "approval",
        {"message": "Ship it?", "details": {"n": 1}, "approvers": []},
    )


def test_without_a_time_out_it_waits_for_a_week(run: Any) -> None:
    assert run({"message": "?"}).until == NOW + timedelta(days=7)


def test_what_people_are_shown_is_redacted(run: Any) -> None:
    config = {
        "message": "Use canary-1?",
        "details": {"password": "p", "note": "canary-1"},
    }
    details = run(config, redactor=Redactor(["canary-1"])).details
    assert "canary-1" not in str(details)
    assert details["details"]["password"] == "[redacted]"


def test_approvers_are_compared_without_case(run: Any) -> None:
    outcome = run({"message": "?", "approvers": [" Boss@Example.COM "]})
    assert outcome.details["approvers"] == ["boss@example.com"]


def test_a_message_that_is_no_text_is_shown_as_json(run: Any) -> None:
    assert run({"message": {"a": 1}}).details["message"] == '{"a":1}'


def test_a_long_message_is_cut(run: Any) -> None:
    shown = run({"message": "x" * (LONGEST_MESSAGE + 5)}).details["message"]
    assert len(shown) == LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"message": "?", "timeout": "soon"}, "is not a duration"),
        ({"message": "?", "timeout": "367d"}, "at most 366 days"),
        ({"message": "?", "timeout": "0s"}, "longer than 0"),
        ({"message": "  "}, "message is empty"),
        ({"message": "?", "approvers": "boss@example.com"}, "must be a list"),
        ({"message": "?", "approvers": []}, "must be a list"),
        ({"message": "?", "approvers": ["boss"]}, "is an e-mail address"),
        ({"message": "?", "details": "x" * LARGEST_DETAILS}, "is the most"),
    ],
)
def test_what_a_template_made_of_it_may_be_wrong(
    config: dict[str, Any], words: str, run: Any
) -> None:
    outcome = run(config)
    assert isinstance(outcome, Fail)
    assert outcome.error.error_class == "BadConfig"
    assert words in outcome.error.message


@pytest.mark.parametrize(
    ("config", "place", "words"),
    [
        ({}, ".message", "is required"),
        ({"message": ""}, ".message", ""),
        ({"message": "?", "timeout": "367d"}, ".timeout", "at most 366 days"),
        ({"message": "?", "timeout": "soon"}, ".timeout", "is not a duration"),
        ({"message": "?", "timeout": 0}, ".timeout", "more than 0"),
        ({"message": "?", "approvers": []}, ".approvers", ""),
        ({"message": "?", "approvers": ["boss"]}, ".approvers[0]", "e-mail"),
        ({"message": "?", "who": "me"}, ".who", "unknown"),
    ],
)
def test_a_wrong_config_is_told_with_its_place(
    config: dict[str, Any], place: str, words: str
) -> None:
    found = problems(config)
    assert list(found) == [place]
    assert words in found[place]


@pytest.mark.parametrize(
    "config",
    [
        {"message": "?"},
        {"message": "{{ trigger.payload.x }}", "timeout": "{{ variables.days }}d"},
        {"message": "?", "approvers": ["{{ trigger.payload.boss }}"]},
        {"message": "?", "timeout": 60.5, "details": [1, {"a": None}]},
    ],
)
def test_what_is_right_or_a_template_passes(config: dict[str, Any]) -> None:
    assert problems(config) == {}


def test_its_ports_can_be_connected() -> None:
    assert problems({"message": "?"}, "approved", "rejected", "timeout") == {}
    assert 'no port "received"' in str(problems({"message": "?"}, "received"))
