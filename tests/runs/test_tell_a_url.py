"""The gallery's "Tell a URL when runs finish": delivered, signed, and by filter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from runs.models import Run
from runs.services.chores import all_chores
from tests.automate.lib.net.servers import Server
from tests.runs.drains import drained
from tests.runs.flows import given, publish, started
from workflows.models import Secret, Workflow
from workflows.services import create_workflow, read_documents

FILE = "workflows/gallery/tell_a_url_when_runs_finish.yaml"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def telling(*subscribers: dict[str, Any]) -> Workflow:
    """The gallery's workflow, as published with these subscribers."""
    Secret.objects.create(name="RUN_EVENTS_SECRET", value=SECRET)
    path = Path(__file__).resolve().parents[2] / FILE
    [loaded] = read_documents(path.read_bytes(), path.name)
    assert loaded.document is not None
    loaded.document["definition"]["variables"]["subscribers"] = list(subscribers)
    return create_workflow(loaded.document, by=None).workflow


def told(server: Server) -> list[tuple[str, dict[str, str], bytes]]:
    """The path, the headers and the body of each request."""
    found = []
    for request in server.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        found.append((first.split(" ")[1], headers, body))
    return sorted(found)


def test_ends_are_told_signed_to_those_who_asked(engine: Any, receiver: Server) -> None:
    base = receiver.url
    teller = telling(
        {"url": f"{base}/all"},
        {"url": f"{base}/orders", "workflows": ["orders"]},
        {"url": f"{base}/failures", "statuses": ["failed", "dead_letter"]},
        {"url": f"{base}/others", "workflows": ["billing"], "statuses": ["succeeded"]},
    )
    run = started(publish(given("a", b=1), slug="orders", name="Orders"))
    drained(
        lambda: Run.objects.filter(workflow=teller, status="succeeded", parent=None),
        within=60,
        chores=all_chores(),
    )
    requests = told(receiver)
    assert [path for path, _, _ in requests] == ["/all", "/orders"]
    for _, headers, body in requests:
        payload = Webhook(SECRET).verify(body, headers)
        assert payload == json.loads(body)
        assert payload["type"] == "workflow.completed"
        assert payload["run_id"] == str(run.pk)
        assert (payload["workflow"], payload["status"]) == ("orders", "succeeded")
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(body.replace(b"orders", b"others"), headers)
    ids = {headers["webhook-id"] for _, headers, _ in requests}
    assert len(ids) == 2, "each message has its own id"


def test_its_own_ends_are_told_to_nobody(engine: Any, receiver: Server) -> None:
    teller = telling({"url": f"{receiver.url}/all"})
    started(publish(given("a", b="{{ trigger.payload.missing }}")), {})
    drained(
        lambda: Run.objects.filter(workflow=teller, status="succeeded", parent=None),
        within=60,
        chores=all_chores(),
    )
    drained(chores=all_chores(), within=60)
    assert Run.objects.filter(workflow=teller, parent=None).count() == 1
    [(_, headers, body)] = told(receiver)
    payload = Webhook(SECRET).verify(body, headers)
    assert payload["status"] == "failed"
    assert payload["error"]["class"]
