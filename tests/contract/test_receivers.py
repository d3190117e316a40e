"""docs/receivers.md: its three programs, run by their interpreters, as the engine's."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings

from automate import ports
from automate.lib.signing import standard_webhooks_signature
from runs.models import Run, StepRun
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.processes import Process, eventually, running
from tests.runs.drains import LOOPBACK, drained
from tests.runs.flows import call, publish, started
from workflows.models import Secret

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db(transaction=True),
]
PAGE = (settings.BASE_DIR / "docs" / "receivers.md").read_text()
OLD, NEW, OTHER = (f"whsec_{letter * 31}="[:-1] + "A" for letter in ("c", "d", "e"))
PROGRAMS: dict[str, tuple[str, str, list[str]]] = {
    "python": (sys.executable, "receiver.py", []),
    "js": ("node", "receiver.js", []),
    "php": ("php", "receiver.php", ["-S", "127.0.0.1:{port}"]),
}


class Receiver:
    """One of the programs at work, with an inbox of its own."""

    def __init__(self, url: str, inbox: Path, process: Process) -> None:
        self.url, self.inbox, self.process = url, inbox, process

    @property
    def kept(self) -> list[Any]:
        """The events in its inbox; nothing besides lies there."""
        return [json.loads(path.read_bytes()) for path in sorted(self.inbox.iterdir())]

    def post(self, body: bytes, **headers: str) -> requests.Response:
        """A request of the test's own: `webhook_id="a"` is a header."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return requests.post(self.url, data=body, headers=named, timeout=60)


@pytest.fixture(params=PROGRAMS)
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
    program, name, arguments = PROGRAMS[request.param]
    found = shutil.which(program)
    if found is None:
        missing = f"{program} is not installed: docs/receivers.md is not tried"
        if os.environ.get("AUTOMATE_CI") == "1":
            pytest.fail(missing)
        warnings.warn(pytest.PytestWarning(missing), stacklevel=1)
        pytest.skip(missing)
    (text,) = re.findall(
        rf"^```{request.param} receiver\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE
    )
    (tmp_path / name).write_text(text)
    port, inbox = ports.free_port(), tmp_path / "inbox"
    line = [found, *(one.format(port=port) for one in arguments), str(tmp_path / name)]
    changes = {
        "WEBHOOK_SECRETS": f"{NEW} {OLD}", "INBOX": str(inbox), "PORT": str(port),
    }  # fmt: skip
    inbox.mkdir()
    with running(line, tmp_path / "log", **changes) as process:
        eventually(lambda: is_open(port) or not process.is_alive())
        assert process.is_alive(), process.output
        yield Receiver(f"http://127.0.0.1:{port}/", inbox, process)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(autouse=True)
def reachable(settings: Any) -> None:
    settings.ALLOWED_NETWORKS = LOOPBACK
    settings.LISTEN = False
    settings.POLL = 0.02


def told(url: str, secret: str) -> tuple[Run, Any]:
    """A run whose step posts to the receiver, when it has ended; and its output."""
    Secret.objects.update_or_create(name="SHOP", team=None, defaults={"value": secret})
    signing = {"scheme": "standard_webhooks", "secret": "{{ secrets.SHOP }}"}
    body = {"order": "{{ trigger.payload.order }}", "note": "ü"}
    step = call("tell", url, config={"body": body, "signing": signing})
    run = started(publish(step), {"order": 1042})
    drained()
    run.refresh_from_db()
    return run, StepRun.objects.get(run=run).output


@pytest.mark.parametrize("secret", [OLD, f"{OTHER} {OLD}"], ids=["old", "both"])
def test_it_takes_what_a_run_sends_while_secrets_change(
    receiver: Receiver, secret: str
) -> None:
    run, output = told(receiver.url, secret)
    assert (run.status, output["body"]) == ("succeeded", {"duplicate": False})
    assert receiver.kept == [{"order": 1042, "note": "ü"}]


def test_it_refuses_who_has_no_secret_of_its(receiver: Receiver) -> None:
    run, _ = told(receiver.url, OTHER)
    assert run.status == "failed"
    assert "401" in run.error_message
    assert receiver.kept == []


def passed_on(request: bytes, to: Receiver) -> bytes:
    """The receiver's answer to these bytes."""
    where = urlsplit(to.url)
    with socket.create_connection((where.hostname, where.port or 80)) as onward:
        onward.sendall(request)
        reply = HTTPResponse(onward)
        reply.begin()
        kind = "Content-Type: application/json"
        return answer(reply.read(), f"{reply.status} {reply.reason}", kind)


def test_a_repeated_event_is_kept_once(receiver: Receiver) -> None:
    """The first answer is lost on the way: the engine sends it again."""

    def lose_the_first(sock: socket.socket, server: Server) -> None:
        server.requests.append(read_request(sock))
        reply = passed_on(server.requests[-1], receiver)
        if len(server.requests) > 1:
            sock.sendall(reply)

    with Server(lose_the_first) as between:
        run, output = told(between.url, NEW)
        assert (run.status, output["body"]) == ("succeeded", {"duplicate": True})
        assert len(between.requests) == 2
    assert receiver.kept == [{"order": 1042, "note": "ü"}]


def test_a_body_that_somebody_changed_is_refused(receiver: Receiver) -> None:
    def change(sock: socket.socket, server: Server) -> None:
        server.requests.append(read_request(sock).replace(b"1042", b"9042"))
        sock.sendall(passed_on(server.requests[-1], receiver))

    with Server(change) as between:
        run, _ = told(between.url, NEW)
        assert b"9042" in between.requests[0]
    assert run.status == "failed"
    assert receiver.kept == []


def signed(body: bytes, at: float, secret: str = NEW, key: str = "k") -> dict[str, str]:
    """The headers of a request as a step sends them."""
    return {
        "webhook_id": key,
        "webhook_timestamp": str(int(at)),
        "webhook_signature": standard_webhooks_signature(secret, key, int(at), body),
    }


def test_only_what_is_new_signed_and_small_is_kept(receiver: Receiver) -> None:
    body, now = b'{"n": 1}', time.time()
    good = signed(body, now)

    for off in (-310, 310):
        assert receiver.post(body, **signed(body, now + off)).status_code == 401
    for name, value in {
        "webhook_id": "other",
        "webhook_timestamp": "x",
        "webhook_signature": "v1,",
    }.items():
        assert receiver.post(body, **{**good, name: value}).status_code == 401
        without = {key: text for key, text in good.items() if key != name}
        assert receiver.post(body, **without).status_code == 401
    large = b" " * 1_100_000
    assert receiver.post(large, **signed(large, now)).status_code == 413
    assert receiver.kept == []

    assert receiver.post(body, **good).json() == {"duplicate": False}
    assert receiver.post(body, **signed(body, now + 1)).json() == {"duplicate": True}
    path = signed(body, now, key="../x")
    assert receiver.post(body, **path).json() == {"duplicate": False}
    names = {hashlib.sha256(key).hexdigest() for key in (b"k", b"../x")}
    assert {path.stem for path in receiver.inbox.iterdir()} == names
    assert receiver.process.is_alive(), receiver.process.output
