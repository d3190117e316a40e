"""Trying a step of a workflow, for programs."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from automate.accounts.models import AuditEntry, Team
from runs.models import DeliveryAttempt
from tests.automate.lib.net.servers import Server, always, answer
from tests.makers import make_run, make_workflow
from tests.runs.api.conftest import Ask
from tests.runs.drains import LOOPBACK
from tests.runs.flows import line, node
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
READING = ("workflows:write", "runs:read")


@pytest.fixture
def receiver(settings: Settings) -> Any:
    settings.ALLOWED_NETWORKS = LOOPBACK
    with Server(always(answer(body=b'{"id": 7}'))) as server:
        yield server


def calling(url: str, **fields: Any) -> Workflow:
    config = {"url": url, "body": {"n": "{{ trigger.payload.n }}"}}
    nodes = [node("call", "http_request", config)]
    definition = {"nodes": nodes, "connections": line(*nodes), "variables": {}}
    return make_workflow(definition=definition, **fields)


def attempt(
    ask: Ask, flow: Workflow, *scopes: str, step: str = "call", **body: Any
) -> Any:
    path = f"workflows/{flow.slug}/steps/{step}/try"
    return ask(path, *(scopes or READING), method="post", data=body)


def test_it_shows_what_the_step_would_send_and_sends_nothing(
    ask: Ask, receiver: Server
) -> None:
    flow = calling(receiver.url)

    shown = attempt(ask, flow, data={"trigger": {"payload": {"n": 5}}}).json()

    assert shown["status"] == "rendered"
    assert shown["request"]["method"] == "POST"
    assert '"n":5' in str(shown["request"]["body"]).replace(" ", "").replace("'", '"')
    assert shown["response"] is None
    assert receiver.requests == []


def test_against_a_stored_run(ask: Ask, receiver: Server) -> None:
    flow = calling(receiver.url)
    run = make_run(flow, {"n": 9}, status="failed")

    shown = attempt(ask, flow, run_id=str(run.pk)).json()

    assert shown["input"]["body"] == {"n": 9}
    other = make_run(status="failed")
    refused = attempt(ask, flow, run_id=str(other.pk))
    assert (refused.status_code, refused.json()["error"]["details"]["field"]) == (
        400, "run_id",
    )  # fmt: skip


def test_it_sends_when_asked_by_one_who_may(ask: Ask, receiver: Server) -> None:
    flow, data = calling(receiver.url), {"trigger": {"payload": {"n": 5}}}

    refused = attempt(ask, flow, data=data, send=True)
    assert refused.status_code == 403
    assert "runs:redrive" in refused.json()["error"]["message"]
    sent = attempt(ask, flow, *READING, "runs:redrive", data=data, send=True).json()

    assert (sent["status"], sent["response"]["status"]) == ("succeeded", 200)
    assert len(receiver.requests) == 1
    assert AuditEntry.objects.filter(action="step.try").count() == 1
    assert DeliveryAttempt.objects.count() == 0


def test_a_definition_may_come_along(ask: Ask) -> None:
    nodes = [node("x", "set", {"values": {"a": "{{ variables.v }}"}})]
    definition = {"nodes": nodes, "connections": [], "variables": {"v": 3}}

    shown = attempt(ask, make_workflow(), step="x", definition=definition).json()

    assert (shown["status"], shown["output"]) == ("succeeded", {"a": 3})


def test_what_cannot_be_tried_is_said(ask: Ask) -> None:
    refused = attempt(ask, calling("https://a.example.com"), step="nope")

    assert (refused.status_code, refused.json()["error"]["code"]) == (
        409,
        "TRIAL_REFUSED",
    )
    wrong = attempt(ask, calling("https://a.example.com"), data={"trigger": 3})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["details"]["field"] == "data.trigger"


def test_it_needs_both_scopes_and_the_workflow_s_team(ask: Ask) -> None:
    flow = calling("https://a.example.com")

    assert attempt(ask, flow, "workflows:write").status_code == 403
    assert attempt(ask, flow, "runs:read").status_code == 403
    team = Team.objects.create(name="Theirs", slug="theirs")
    theirs = calling("https://a.example.com", team=team)
    assert attempt(ask, theirs).status_code == 404
