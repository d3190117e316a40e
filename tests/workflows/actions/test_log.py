from __future__ import annotations

from typing import Any

import pytest

from runs.models import RunLog
from tests.runs.drains import drained
from tests.runs.flows import again, given, node, publish, started, step
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import all_actions, get
from workflows.actions.log import LONGEST
from workflows.actions.outcomes import Done, Fail, LogLine
from workflows.definition import validate


def test_the_line_comes_with_the_outcome(make_context: MakeContext) -> None:
    config = {"message": "hello", "level": "warning", "data": {"a": 1}}
    assert get("log").execute(make_context(config)) == Done(
        {"message": "hello", "level": "warning"},
        logs=(LogLine("warning", "hello", {"a": 1}),),
    )


@pytest.mark.parametrize(
    ("message", "text"),
    [("a", "a"), (5, "5"), (True, "true"), ({"a": [1]}, '{"a":[1]}'), (None, "null")],
)
def test_data_as_a_message_is_written_as_json(
    message: Any, text: str, make_context: MakeContext
) -> None:
    outcome = get("log").execute(make_context({"message": message}))
    assert isinstance(outcome, Done)
    assert outcome.logs == (LogLine("info", text),)


@pytest.mark.parametrize(
    ("data", "kept"),
    [(None, {}), ({"a": 1}, {"a": 1}), ([1], {"data": [1]}), (0, {"data": 0})],
)
def test_data_that_are_no_mapping_get_a_name(
    data: Any, kept: Any, make_context: MakeContext
) -> None:
    outcome = get("log").execute(make_context({"message": "x", "data": data}))
    assert isinstance(outcome, Done)
    assert outcome.logs[0].data == kept


def test_a_line_is_capped(make_context: MakeContext) -> None:
    config = {"message": "é" * LONGEST, "data": {"a": "x" * LONGEST}}
    outcome = get("log").execute(make_context(config))
    assert isinstance(outcome, Done)
    (line,) = outcome.logs
    assert line.message == "é" * (LONGEST // 2)
    assert line.data == {
        "truncated": f"{LONGEST + 8} bytes, more than the 16384 of a log line"
    }


def test_a_level_that_a_template_got_wrong_fails_the_step(
    make_context: MakeContext,
) -> None:
    outcome = get("log").execute(make_context({"message": "x", "level": ["info"]}))
    assert isinstance(outcome, Fail)
    assert "debug, info, warning, error" in outcome.error.message


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"message": "{{ trigger.payload }}", "level": "{{ variables.level }}"}, []),
        ({}, ["message"]),
        ({"message": ""}, ["message"]),
        ({"message": "x", "level": "loud"}, ["level"]),
        ({"message": "{{ secrets.TOKEN }}"}, ["message"]),
        ({"message": "x", "text": "y"}, ["text"]),
    ],
)
def test_validation_tells_what_is_wrong_before_it_runs(
    config: dict[str, Any], places: list[str]
) -> None:
    value = {
        "nodes": [{"id": "say", "type": "log", "config": config}],
        "connections": [],
        "variables": {},
    }
    found = [problem.path for problem in validate(value, all_actions())]
    assert found == [f"nodes[0].config.{place}" for place in places]


@pytest.mark.django_db(transaction=True)
class TestInARun:
    def test_the_line_is_written_for_the_run_and_its_step(self) -> None:
        config = {
            "message": "Order {{ trigger.payload.id }}",
            "level": "error",
            "data": "{{ trigger.payload }}",
        }
        run = started(publish(node("say", "log", config), given("after")), {"id": 7})
        drained()
        (line,) = RunLog.objects.filter(run=run)
        assert (line.node_id, line.level, line.message) == ("say", "error", "Order 7")
        assert line.metadata == {"id": 7}
        assert again(run).status == "succeeded"
        assert step(run, "say").output == {"message": "Order 7", "level": "error"}

    def test_the_line_is_redacted_and_storable(self) -> None:
        config = {
            "message": "at https://user:hunter22@crm.example.com/",
            "data": {"password": "hunter22", "note": "{{ trigger.payload.note }}"},
        }
        run = started(publish(node("say", "log", config)), {"note": "token=hunter22"})
        drained()
        (line,) = RunLog.objects.filter(run=run)
        assert "hunter22" not in f"{line.message}{line.metadata}"
        assert line.metadata["password"] == "[redacted]"
