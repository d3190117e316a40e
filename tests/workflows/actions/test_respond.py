from __future__ import annotations

from typing import Any

import pytest

from tests.runs.drains import drained
from tests.runs.flows import given, node, publish, started, step, steps
from tests.workflows.actions.conftest import MakeContext
from workflows.actions.base import all_actions, get
from workflows.actions.outcomes import Done, Fail
from workflows.actions.respond import LARGEST
from workflows.definition import validate


@pytest.fixture
def respond(make_context: MakeContext) -> Any:
    return lambda config: get("respond").execute(make_context(config))


def test_the_answer_is_the_output(respond: Any) -> None:
    config = {
        "status": 201,
        "headers": {
            "Location": "/orders/7",
            "X-Count": 3,
            "X-Last": True,
            "X-No": None,
        },
        "body": {"id": 7},
    }
    assert respond(config) == Done(
        {
            "status": 201,
            "headers": {"Location": "/orders/7", "X-Count": "3", "X-Last": "true"},
            "body": {"id": 7},
        }
    )


def test_without_a_config_it_is_an_empty_200(respond: Any) -> None:
    assert respond({}) == Done({"status": 200, "headers": {}, "body": None})


def test_a_template_may_give_the_status_as_text(respond: Any) -> None:
    assert respond({"status": "404"}).output["status"] == 404


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"status": 100}, "from 200 to 599"),
        ({"status": 600}, "from 200 to 599"),
        ({"status": True}, "from 200 to 599"),
        ({"status": "OK"}, "from 200 to 599"),
        ({"status": None}, "from 200 to 599"),
        ({"headers": "X"}, "headers must be an object"),
        ({"headers": {"X A": "1"}}, "cannot be the name of a header"),
        ({"headers": {"": "1"}}, "cannot be the name of a header"),
        ({"headers": {"X-A": "1\r\nSet-Cookie: a=b"}}, "X-A holds a line end"),
        ({"headers": {"X-A": "1\nb"}}, "X-A holds a line end"),
        ({"headers": {"X-A": "\x00"}}, "X-A holds"),
        ({"headers": {"X-A": "☃"}}, "cannot be sent in a header"),
        ({"headers": {"X-A": ["1"]}}, "X-A must be text or a number"),
        ({"headers": {"Set-Cookie": "a=b"}}, "Set-Cookie is set by the server alone"),
        ({"headers": {"content-LENGTH": "5"}}, "is set by the server alone"),
        ({"status": 204, "body": "x"}, "the status 204 has no body"),
        ({"body": "x" * (LARGEST + 1)}, f"an answer holds {LARGEST} at most"),
        ({"body": ["é" * LARGEST]}, f"an answer holds {LARGEST} at most"),
    ],
)
def test_what_cannot_be_sent_fails_the_step(
    config: Any, words: str, respond: Any
) -> None:
    outcome = respond(config)
    assert isinstance(outcome, Fail)
    assert outcome.error.error_class == "BadConfig"
    assert words in outcome.error.message


@pytest.mark.parametrize("body", ["", "text", 0, False, [], {}, [None]])
def test_a_body_keeps_its_type(body: Any, respond: Any) -> None:
    assert respond({"body": body}).output["body"] == body


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"status": "{{ variables.status }}", "body": "{{ trigger.payload }}"}, []),
        ({"status": 99}, ["status"]),
        ({"status": "ok"}, ["status"]),
        ({"headers": {"A B": "x"}}, ["headers"]),
        ({"headers": {"Transfer-Encoding": "chunked"}}, ["headers.Transfer-Encoding"]),
        ({"status": 304, "body": "x"}, ["body"]),
        ({"body": "{{ secrets.TOKEN }}"}, ["body"]),
    ],
)
def test_validation_tells_what_is_wrong_before_it_runs(
    config: dict[str, Any], places: list[str]
) -> None:
    value = {
        "nodes": [{"id": "say", "type": "respond", "config": config}],
        "connections": [],
        "variables": {},
    }
    found = [problem.path for problem in validate(value, all_actions())]
    assert found == [f"nodes[0].config.{place}" for place in places]


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_sender_does_not_wait_goes_on() -> None:
    config = {"status": 202, "body": {"order": "{{ trigger.payload.id }}"}}
    run = started(publish(node("say", "respond", config), given("after")), {"id": 7})
    drained()
    assert steps(run) == {"say": "succeeded", "after": "succeeded"}
    expected = {"status": 202, "headers": {}, "body": {"order": 7}}
    assert step(run, "say").output == expected
