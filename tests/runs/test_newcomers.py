"""The two documents of newcomers, end to end: published, triggered, performed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from runs.models import Run
from runs.services import execute_manually, trigger_payload
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import drained
from tests.runs.flows import step, steps
from tests.workflows.definition.test_newcomers import LINE, WITH_TRIGGER
from workflows.models import Workflow
from workflows.services import create_workflow


@pytest.fixture(autouse=True)
def _engine(engine: Any) -> None:
    """Real transactions."""


def served_by(server: Server, document: Any) -> Any:
    """The document with nothing changed but the host that it calls."""
    text = json.dumps(document)
    for host in ("https://api.example.com", "https://httpbin.org"):
        text = text.replace(host, server.url)
    return json.loads(text)


def published(document: Any) -> Workflow:
    return create_workflow(document, by=None).workflow


def sent(server: Server) -> Any:
    """The JSON body of the only request."""
    (request,) = server.requests
    return json.loads(request.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("address", ["/v1/webhooks/webhook/abc123", "/webhook/abc123"])
def test_the_hook_is_served_at_both_addresses_as_written(address: str) -> None:
    published(WITH_TRIGGER)
    reply = Client().post(address, b'{"order": 7}', content_type="application/json")
    assert reply.status_code == 202
    run = Run.objects.get(pk=reply.json()["run_id"])
    assert trigger_payload(run) == {"order": 7}
    assert run.start == ["action-1"]


def test_an_event_goes_through_the_call_and_the_filter(receiver: Server) -> None:
    published(served_by(receiver, WITH_TRIGGER))
    Client().post("/webhook/abc123", b'{"order": 7}', content_type="application/json")
    drained()
    run = Run.objects.get()
    assert (run.status, run.stopped_by) == ("succeeded", [])
    assert sent(receiver) == {"order": 7}
    assert steps(run) == {
        "action-1": "succeeded",
        "filter-1": "succeeded",
    }
    assert step(run, "filter-1").output == {"passed": True}


def test_the_filter_stops_what_was_answered_otherwise() -> None:
    with Server(always(answer(b"{}", "201 Created"))) as server:
        published(served_by(server, WITH_TRIGGER))
        Client().post("/webhook/abc123", b"{}", content_type="application/json")
        drained()
    run = Run.objects.get()
    assert (run.status, run.stopped_by) == ("succeeded", ["filter-1"])


def test_the_line_waits_and_tells(receiver: Server) -> None:
    workflow = published(served_by(receiver, LINE))
    assert (workflow.slug, workflow.status) == ("my-workflow", "active")
    execute_manually(workflow, {}, None)
    drained()
    run = Run.objects.get()
    assert run.status == "succeeded"
    assert run.finished_at is not None
    assert (run.finished_at - run.created_at).total_seconds() >= 2
    assert sent(receiver) == {"message": "Hello from workflow!"}


def test_the_line_is_published_as_written() -> None:
    workflow = published(LINE)
    assert workflow.published is not None
    call = workflow.published.definition["nodes"][1]
    assert call["config"]["url"] == "https://httpbin.org/post"
