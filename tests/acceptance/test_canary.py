"""A secret that was posted, failed, retried and redriven is found nowhere, in no
encoding; and the receiver got it exactly. In real processes, with real dumps.
"""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.acceptance import canary
from tests.acceptance.site import Site
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.processes import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,
    pytest.mark.timeout(900),
]

CANARIES = {
    "secret": 's3cretValue/+"&q=x7Zk2',
    "connection": "c0nnectionPassw0rd+canary/83",
    "bearer": "incomingBearer+canary/5511",
    "api key": "incomingApiKeyCanary7712",
    "cookie": "incomingCookieCanary9913",
    "field": 'fieldPassw0rd+ca/na"ry<5e>',
    "card": "nestedCvvCanary/2218",
    "query": "queryTokenCanary+4417",
}
DOCUMENT = """
name: inner
slug: inner
nodes:
  - id: each
    type: for_each
    config:
      items: ["{{ trigger.payload.v }}"]
      nodes: [{id: say, type: log, config: {message: "an item {{ item }}"}}]
  - id: note
    type: log
    config: {message: "given {{ trigger.payload.v }}", data: "{{ trigger.payload }}"}
connections: [{from: each, to: note}]
output: {v: "{{ trigger.payload.v }}"}
---
name: canary
slug: canary
triggers: [{kind: webhook, config: {path: canary, scheme: none}}]
nodes:
  - id: send
    type: http_request
    config:
      method: POST
      url: RECEIVER/send?token={{ trigger.query.token | urlencode }}
      connection: crm
      headers: {X-T: "{{ secrets.T }}"}
      body:
        whole: "{{ trigger.payload }}"
        renamed: "{{ trigger.payload.password }}"
        text: "it is {{ trigger.payload.password }}."
        t: "{{ secrets.T }}"
    retry: {max_attempts: 2, initial: 0.1}
  - id: tell
    type: log
    config:
      message: "sent {{ trigger.payload.password }}, got {{ steps.send.body.said }}"
      data: {all: "{{ steps.send.body }}", got: "{{ trigger.payload }}"}
  - id: call
    type: run_workflow
    config: {workflow: inner, input: {v: "{{ trigger.payload.password }}"}}
connections: [{from: send, to: tell}, {from: tell, to: call}]
output: {echo: "{{ steps.send.body }}", mine: "{{ trigger.payload.card.cvv }}"}
---
name: picky
slug: picky
triggers:
  - kind: webhook
    config:
      path: picky
      scheme: none
      condition: "{{ trigger.payload.password == 'something else' }}"
nodes: [{id: tell, type: log, config: {message: never}}]
"""


class Echo:
    """Answers 503, then 307, then 400, then 200, and says back all that it was sent."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, sock: socket.socket, _server: Server) -> None:
        while request := read_request(sock):
            self.seen.append(request)
            head, _, body = request.partition(b"\r\n\r\n")
            known = "".join(CANARIES[name] for name in ("secret", "field", "query"))
            reason = re.sub(r"[^\x20-\x7e]", "", CANARIES["field"])
            statuses = [f"503 {reason}", "307 Over", f"400 {CANARIES['secret']}"]
            number = len(self.seen) - 1
            status = statuses[number] if number < len(statuses) else "200 OK"
            said = {
                "said": f"you sent {known}",
                "head": head.decode(),
                "body": body.decode(),
                "twice": json.dumps(body.decode()),
                "percent": quote(body.decode(), safe=""),
                "base64": base64.b64encode(body).decode(),
                "hex": body.hex(),
                "one": base64.b64encode(CANARIES["field"].encode()).decode(),
            }
            sock.sendall(
                answer(
                    json.dumps(said).encode(),
                    status,
                    "Content-Type: application/json",
                    f"X-Echo: {CANARIES['field']} {CANARIES['secret']}",
                    f"Location: /there?x={quote(known, safe='')}",
                )
            )


@pytest.fixture
def echo() -> Iterator[tuple[Server, Echo]]:
    handler = Echo()
    with Server(handler) as server:
        yield server, handler


def test_the_canary(
    echo: tuple[Server, Echo], own_database: str | None, tmp_path: Path
) -> None:
    server, receiver = echo
    changes = {"AUTOMATE_LOG_LEVEL": "DEBUG"}
    site = Site(tmp_path, own_database, changes)
    try:
        site.up()
        _supply(site)
        site.publish(DOCUMENT.replace("RECEIVER", server.url))
        run_ids = _story(site, receiver)
        _received_exactly(receiver)
        found = dict(_readable(site, run_ids))
    finally:
        site.kill()
    found |= dict(canary.stored(site))  # after the kill: the log to its end
    leaky = {place: canary.leaks(CANARIES, data) for place, data in found.items()}
    assert {place: names for place, names in leaky.items() if names} == {}
    shown = b"".join(found.values())
    assert b"[redacted]" in shown
    assert len(found) > 50


def _supply(site: Site) -> None:
    given = json.dumps({"secret": CANARIES["secret"], "other": CANARIES["connection"]})
    script = (
        "import json, sys, os; from workflows.models import Connection, Secret; "
        "given = json.loads(os.environ['GIVEN']); "
        "Secret.objects.create(name='T', value=given['secret'], "
        "allowed_hosts=['127.0.0.1']); "
        "Connection.objects.create(name='crm', kind='basic', "
        "allowed_hosts=['127.0.0.1'], "
        "credentials={'username': 'ada', 'password': given['other']})"
    )
    site.manage("shell", "-c", script, GIVEN=given)


def _payload() -> dict[str, Any]:
    return {
        "order": 7,
        "password": CANARIES["field"],
        "card": {"cvv": CANARIES["card"], "holder": "Ada"},
        "headers": [{"name": "Authorization", "value": "Bearer of nothing"}],
    }


def _post(site: Site, path: str, payload: Any, **more: Any) -> requests.Response:
    headers = {
        "Authorization": f"Bearer {CANARIES['bearer']}",
        "X-Api-Key": CANARIES["api key"],
        "Cookie": f"sid={CANARIES['cookie']}",
    }
    token = quote(CANARIES["query"], safe="")
    return site.post(f"{path}?token={token}", payload, headers=headers, **more)


def _story(site: Site, receiver: Echo) -> list[str]:
    """Posted, refused, retried, redriven from what failed and from the start."""
    reply = _post(site, "canary", _payload())
    assert reply.status_code == 202, reply.text
    first = site.ended(reply.json()["run_id"])
    assert first["status"] == "failed", first
    run_ids = [first["id"]]
    for start in ("failed", "start"):
        site.manage("redrive", run_ids[-1], "--from", start)
        eventually(lambda: len(_runs(site)) > len(run_ids))
        newest = next(run for run in _runs(site) if run["id"] not in run_ids)
        run_ids.append(site.ended(newest["id"])["id"])
    last = site.ended(run_ids[-1])
    assert last["status"] == "succeeded", last
    assert CANARIES["field"] in json.dumps(last, ensure_ascii=False).replace('\\"', '"')
    below = [run["id"] for run in site.api("runs?workflow=inner")["results"]]
    assert len(below) == 2, below  # the called run, and its one item
    run_ids += below
    # What does not become a run.
    assert _post(site, "picky", _payload()).json()["status"] == "filtered"
    broken = json.dumps(_payload())[:-1].encode()
    for wrong in (
        broken,
        b'{"password": "' + CANARIES["card"].encode() + b'", "a": NaN}',
    ):
        _post(site, "canary", None, data=wrong)
    requests.delete(f"{site.url}/v1/webhooks/canary", timeout=90)
    return run_ids


def _runs(site: Site) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.api("runs?workflow=canary")["results"]
    return found


def _received_exactly(receiver: Echo) -> None:
    """Each attempt, also of the redrives, carried what was posted."""
    assert len(receiver.seen) == 4
    login = base64.b64encode(f"ada:{CANARIES['connection']}".encode())
    for request in receiver.seen:
        head, _, body = request.partition(b"\r\n\r\n")
        assert b"Authorization: Basic " + login in head
        assert f"X-T: {CANARIES['secret']}".encode() in head
        token = quote(CANARIES["query"], safe="").encode()
        assert b"token=" + token in head or CANARIES["query"].encode() in head
        assert json.loads(body) == {
            "whole": _payload(),
            "renamed": CANARIES["field"],
            "text": f"it is {CANARIES['field']}.",
            "t": CANARIES["secret"],
        }


def _readable(site: Site, run_ids: list[str]) -> Iterator[tuple[str, bytes]]:
    """What people and programs read: pages, the API, exports."""
    person, password = "ann@example.com", "a long pass phrase"
    browser = canary.signed_in(site, person, password)
    for path, text in canary.pages(site, browser, most=500).items():
        yield path, text.encode()
    scopes = ["runs:read", "workflows:read"]
    arguments = [person, "--name", "reader", "--scope", *scopes]
    key = site.manage("create_api_key", *arguments).strip().splitlines()[-1]
    below = ("", "/steps", "/attempts", "/logs", "/explain", "/waits")
    paths = [f"runs/{pk}{more}" for pk in run_ids for more in below]
    paths += [f"logs/{pk}" for pk in run_ids]
    paths += [f"workflows/{slug}/logs" for slug in ("canary", "inner", "picky")]
    for path in ("runs", "waits", "campaigns", *paths):
        url = f"{site.url}/api/v1/{path}"
        reply = requests.get(url, headers={"X-Api-Key": key}, timeout=90)
        assert reply.status_code == 200, (path, reply.text)
        yield f"API {path}", reply.content
    for pk in run_ids:
        yield f"explain {pk}", site.manage("explain", pk).encode()
    yield from canary.exported(site)


@pytest.mark.parametrize("name", CANARIES)
def test_the_search_would_find_it(name: str) -> None:
    value = CANARIES[name]
    for form in canary.forms(value):
        assert name in canary.leaks(CANARIES, f"before{form}after".encode())
    for before in (b"", b"a", b"ab"):
        coded = base64.b64encode(before + value.encode() + b"tail")
        assert name in canary.leaks(CANARIES, b"x" + coded)
