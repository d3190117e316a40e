"""The real server, on real sockets: bodies arrive whole, and refusals arrive at all."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from automate.lib import jsonio
from runs.models import Run
from tests.processes import in_the_end
from tests.webhooks.makers import PUSH, make_trigger, signed
from webhooks.models import InboundEvent

pytestmark = pytest.mark.django_db(transaction=True)

MAX_BODY = 200_000


def database_url() -> str:
    """The address of the database that this test uses, for another process."""
    about = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{about['NAME']}"
    user, password = quote(about["USER"]), quote(about["PASSWORD"])
    host, port = about["HOST"], about["PORT"] or 5432
    return f"postgres://{user}:{password}@{host}:{port}/{quote(about['NAME'])}"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def granian(var: Path) -> Iterator[int]:
    """A web process as `manage.py up` starts it; gives its port."""
    port = free_port()
    environ = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "AUTOMATE_VAR_DIR": str(var),
        "AUTOMATE_MAX_BODY": str(MAX_BODY),
        "SECRET_KEY": "for this test only, of forty characters",
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "DEBUG": "0",
        "HTTP_PROXY": "http://user:canary@proxy.example.com",
    }
    command = [sys.executable, "-m", "granian", "--interface", "wsgi"]
    command += ["--port", str(port), "--blocking-threads", "8"]
    log = (var / "granian.log").open("wb")
    with (
        log,
        subprocess.Popen(
            [*command, "automate.wsgi:application"], env=environ, stdout=log, stderr=log
        ) as process,
    ):
        try:
            _wait_for(port, process, var / "granian.log")
            yield port
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"granian did not start: {log.read_text()}")


@pytest.fixture(scope="module")
def shared_var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("var")


@pytest.fixture
def port(shared_var: Path) -> Iterator[int]:
    with granian(shared_var) as number:
        yield number


def exchange(port: int, request: bytes, pieces: tuple[bytes, ...] = ()) -> Any:
    """(status, JSON or None) of one raw request, whose rest is sent in pieces."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connected:
        connected.sendall(request)
        for piece in pieces:
            time.sleep(0.02)
            connected.sendall(piece)
        answer = http.client.HTTPResponse(connected)
        answer.begin()
        content = answer.read()
    return answer.status, jsonio.loads(content) if content else None


def head(key: str, headers: dict[str, str]) -> bytes:
    lines = [f"POST /v1/webhooks/{key} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_bodies_arrive_whole_and_refusals_arrive(port: int) -> None:
    """One server for all of it: its start is the slow part."""
    too_large = (413, "BODY_TOO_LARGE")
    assert _chunked_and_signed(port) == (202, PUSH)
    assert _chunked(port, MAX_BODY) == (202, "")
    assert _chunked(port, MAX_BODY + 1) == too_large
    assert _announced_as_too_large(port) == too_large
    assert _waiting_for_continue(port) == too_large
    assert _half_sent(port) == ["malformed"]
    _broken_off(port)
    assert 400 <= _too_many_headers(port) < 500


def _status_and_code(answer: Any) -> tuple[int, str]:
    status, told = answer
    return status, told.get("error", {}).get("code", "")


def _chunked_and_signed(port: int) -> tuple[int, bytes]:
    """The status, and the body that was stored."""
    trigger = make_trigger({"scheme": "github"})
    headers = {
        **signed(trigger),
        "Content-Type": "application/json",
        "Transfer-Encoding": "chunked",
    }
    pieces = (chunk(PUSH[:5]), chunk(PUSH[5:6]), chunk(PUSH[6:]), b"0\r\n\r\n")
    status, told = exchange(port, head(trigger.key, headers), pieces)
    run = Run.objects.get(pk=told["run_id"])
    assert "canary" not in str(run.headers)
    assert "transfer-encoding" not in run.headers
    return status, bytes(run.body)


def _chunked(port: int, size: int) -> tuple[int, str]:
    pieces = (chunk(b"x" * (size - 1)), chunk(b"x"), b"0\r\n\r\n")
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "text/plain"}
    return _status_and_code(exchange(port, head(make_trigger().key, headers), pieces))


def _announced_as_too_large(port: int) -> tuple[int, str]:
    body = b"x" * 10_000_000
    headers = {"Content-Length": str(len(body)), "Content-Type": "text/plain"}
    request = head(make_trigger().key, headers) + body
    return _status_and_code(exchange(port, request))


def _waiting_for_continue(port: int) -> tuple[int, str]:
    headers = {"Content-Length": "10000000", "Expect": "100-continue"}
    return _status_and_code(exchange(port, head(make_trigger().key, headers)))


def _half_sent(port: int) -> list[str]:
    """Why it was turned away, each time."""
    trigger = make_trigger()
    headers = {"Content-Length": "100", "Content-Type": "text/plain"}
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connected:
        connected.sendall(head(trigger.key, headers) + b"half")
    rows = InboundEvent.objects.filter(trigger=trigger)
    assert in_the_end(rows.exists, True), "nobody has written it down"
    assert not Run.objects.filter(trigger=trigger).exists()
    return list(rows.values_list("reason", flat=True))


def _broken_off(port: int) -> None:
    """A limit (ADR 18): a chunked body without its end is taken where nothing tells."""
    text, data = make_trigger(), make_trigger()
    signed_ = make_trigger({"scheme": "standard_webhooks"})
    for trigger, kind, body in (
        (text, "text/plain", b"half"),
        (data, "application/json", b'{"half":'),
        (signed_, "text/plain", b"half"),
    ):
        whole = signed(trigger, body + b" and the rest") if trigger is signed_ else {}
        headers = {"Transfer-Encoding": "chunked", "Content-Type": kind, **whole}
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connected:
            connected.sendall(head(trigger.key, headers) + chunk(body))
    runs = Run.objects.filter(trigger=text)
    assert in_the_end(runs.exists, True), "granian tells of it now: see ADR 18"
    rows = InboundEvent.objects.filter(trigger=data)
    assert in_the_end(rows.exists, True)
    assert rows.get().reason == "malformed"
    assert not Run.objects.filter(trigger__in=[data, signed_]).exists()


def _too_many_headers(port: int) -> int:
    headers = {f"X-{number}": "a" for number in range(1000)}
    return int(exchange(port, head(make_trigger().key, headers))[0])
