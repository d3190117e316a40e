"""A secret that a receiver echoes is found nowhere that people can read."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from runs.models import DeliveryAttempt, Run, RunLog, StepRun
from runs.services import redrive
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.makers import make_key, make_user
from tests.runs.drains import Hand
from tests.runs.flows import again, call, make_due, publish, started
from workflows.models import Connection, Secret, Workflow

pytestmark = pytest.mark.usefixtures("engine")

CANARY = 'cAn4ry/+"q&x=7Zk2'
TOKEN = "c0nnect10n+canary/83"
USER = "ada"
BELOW = ("", "/steps", "/attempts", "/logs")


def forms(value: str) -> set[str]:
    """The encodings in which a value may turn up."""
    encoded = {
        base64.b64encode(item.encode()).decode().rstrip("=")
        for item in (value, f"{USER}:{value}")
    }
    slashed = json.dumps(value)[1:-1]
    return {
        value, quote(value), quote(value, safe=""), quote_plus(value), slashed,
        json.dumps(slashed)[1:-1], slashed.replace("/", "\\/"), html.escape(value),
        value.encode().hex(), *encoded,
    }  # fmt: skip


FORMS = forms(CANARY) | forms(TOKEN)


def leaks(text: str) -> list[str]:
    """The encodings of the canaries that the text holds."""
    return sorted(form for form in FORMS if form in text)


class Echo:
    """Refuses the first request for each path, and says back all that it was sent."""

    def __init__(self) -> None:
        self.seen: dict[str, list[bytes]] = {}

    def __call__(self, sock: socket.socket, _server: Server) -> None:
        while request := read_request(sock):
            head, _, body = request.partition(b"\r\n\r\n")
            path = head.split()[1].decode()
            known = self.seen.setdefault(path, [])
            known.append(request)
            refusals = {"/one": "503 Busy", "/two": "400 No"}
            status = refusals[path] if len(known) == 1 else "200 OK"
            echo = answer(
                json.dumps(self.echo(head, body)).encode(),
                status,
                "Content-Type: application/json",
                f"X-Echo: {CANARY}",
                f"X-Form: {quote(CANARY, safe='')}",
            )
            sock.sendall(echo)

    @staticmethod
    def echo(head: bytes, body: bytes) -> dict[str, Any]:
        text = body.decode()
        return {
            "said": f"you sent {CANARY}",
            "head": head.decode(),
            "body": text,
            "twice": json.dumps(text),
            "percent": quote(text, safe=""),
            "base64": base64.b64encode(body).decode(),
            "login": base64.b64encode(f"{USER}:{CANARY}".encode()).decode(),
        }


@pytest.fixture
def echo() -> Iterator[tuple[Server, Echo]]:
    handler = Echo()
    with Server(handler) as server:
        yield server, handler


def everything_stored() -> Iterator[tuple[str, str]]:
    """Each table with all of its rows as text."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                yield table, " ".join(map(as_text, row))


def as_text(cell: Any) -> str:
    if isinstance(cell, bytes | memoryview):
        return bytes(cell).decode("latin-1")
    return cell if isinstance(cell, str) else json.dumps(cell, default=str)


def everything_shown(*runs: Run) -> Iterator[tuple[str, str]]:
    """Each API answer without payloads:read, and each admin page."""
    headers = {"x-api-key": make_key(make_user(), "runs:read")}
    paths = [f"/api/v1/runs/{run.pk}{below}" for run in runs for below in BELOW]
    for path in ["/api/v1/runs", *paths]:
        response = Client().get(path, headers=headers)
        assert response.status_code == 200, path
        tree = json.loads(response.content)
        yield path, json.dumps(tree)
        yield path, "\n".join(leaves(tree))
    boss = Client()
    boss.force_login(make_user(is_staff=True, is_superuser=True))
    for path in admin_pages():
        response = boss.get(path)
        assert response.status_code == 200, path
        text = response.content.decode()
        yield path, f"{text}\n{html.unescape(text)}"


def leaves(tree: Any) -> Iterator[str]:
    """The texts of a JSON tree, names included."""
    if isinstance(tree, dict):
        for name, item in tree.items():
            yield name
            yield from leaves(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from leaves(item)
    else:
        yield str(tree)


def admin_pages() -> Iterator[str]:
    models = (Run, StepRun, DeliveryAttempt, RunLog, Secret, Connection)
    for model in models:
        name = model._meta.label_lower.replace(".", "_")
        yield reverse(f"admin:{name}_changelist")
        for row in model._default_manager.all():
            yield reverse(f"admin:{name}_change", args=(row.pk,))
    yield reverse("admin:index")


def exported() -> str:
    out = io.StringIO()
    call_command("export_workflows", stdout=out)
    return out.getvalue()


def test_the_canary(
    hand: Hand, echo: tuple[Server, Echo], caplog: pytest.LogCaptureFixture
) -> None:
    """A step sends it twice; another sends on the echo, fails and is redriven."""
    caplog.set_level(logging.DEBUG)
    server, receiver = echo
    Secret.objects.create(name="T", value=CANARY, allowed_hosts=["127.0.0.1"])
    Connection.objects.create(
        name="crm",
        kind="basic",
        allowed_hosts=["127.0.0.1"],
        credentials={"username": USER, "password": TOKEN},
    )
    uses = {
        "connection": "crm",
        "headers": {"X-T": "{{ secrets.T }}"},
        "body": {"t": "{{ secrets.T }}", "text": "a {{ secrets.T }} b"},
    }
    passes_on = {
        "body": {"got": "{{ steps.one.body }}", "echo": "{{ steps.one.headers }}"},
    }
    workflow = publish(
        call("one", f"{server.url}/one", config=uses),
        call("two", f"{server.url}/two", config=passes_on),
        output={"echo": "{{ steps.two.body }}", "one": "{{ steps.one.body.said }}"},
    )

    assert workflow.published is not None
    Workflow.objects.update(definition=workflow.published.definition)
    run = started(workflow)
    for _ in range(3):
        hand.claim()
        hand.finish()
        make_due(run)
    assert again(run).status == "failed"
    new = redrive(run, by=None, start="failed")
    hand.claim()
    hand.finish()
    whole = redrive(new, by=None, start="start")
    hand.claim()
    hand.finish()

    assert again(new).status == again(whole).status == "succeeded"
    first, second, third = receiver.seen["/one"]
    for request in (first, second, third):
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"X-T: {CANARY}".encode() in head
        assert json.loads(body) == {"t": CANARY, "text": f"a {CANARY} b"}
        login = base64.b64encode(f"{USER}:{TOKEN}".encode())
        assert b"Authorization: Basic " + login in head
    assert len(receiver.seen["/two"]) == 3
    for request in receiver.seen["/two"]:
        got = json.loads(request.partition(b"\r\n\r\n")[2])
        assert got["got"]["said"] == f"you sent {CANARY}"
        assert json.loads(got["got"]["body"])["t"] == CANARY
        assert got["echo"]["x-echo"] == CANARY
    assert CANARY in again(whole).output["one"]

    found = [(place, leaks(text)) for place, text in everything_stored()]
    found += [(place, leaks(text)) for place, text in everything_shown(run, new, whole)]
    found += [("export", leaks(exported())), ("logs", leaks(caplog.text))]
    assert [(place, what) for place, what in found if what] == []
    assert len(found) > 60
    assert "[redacted]" in "".join(text for _, text in everything_shown(new))


def test_the_search_finds_what_is_not_hidden() -> None:
    """The canary's own test: in a place that hides nothing, each form is seen."""
    for form in FORMS:
        assert leaks(f"before{form}after")
    Secret.objects.create(name="T", value="x", allowed_hosts=[CANARY])
    assert [place for place, text in everything_stored() if leaks(text)] == [
        "workflows_secret"
    ]
