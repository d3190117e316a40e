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
            process.wait(timeout=20)


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
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
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
    _chunked_and_signed(port)
    _chunked_and_too_large(port)
    _announced_as_too_large(port)
    _waiting_for_continue(port)
    _half_sent(port)
    _too_many_headers(port)


def _chunked_and_signed(port: int) -> None:
    trigger = make_trigger({"scheme": "github"})
    headers = {
        **signed(trigger),
        "Content-Type": "application/json",
        "Transfer-Encoding": "chunked",
    }
    pieces = (chunk(PUSH[:5]), chunk(PUSH[5:6]), chunk(PUSH[6:]), b"0\r\n\r\n")
    status, told = exchange(port, head(trigger.key, headers), pieces)
    assert status == 202, told
    run = Run.objects.get(pk=told["run_id"])
    assert run.body == PUSH
    assert "canary" not in str(run.headers)
    assert "transfer-encoding" not in run.headers


def _chunked_and_too_large(port: int) -> None:
    trigger = make_trigger()
    pieces = (chunk(b"x" * MAX_BODY), chunk(b"x"), b"0\r\n\r\n")
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "text/plain"}
    status, told = exchange(port, head(trigger.key, headers), pieces)
    assert (status, told["error"]["code"]) == (413, "BODY_TOO_LARGE")
    fitting = (chunk(b"x" * MAX_BODY), b"0\r\n\r\n")
    assert exchange(port, head(trigger.key, headers), fitting)[0] == 202


def _announced_as_too_large(port: int) -> None:
    body = b"x" * 10_000_000
    headers = {"Content-Length": str(len(body)), "Content-Type": "text/plain"}
    request = head(make_trigger().key, headers) + body
    status, told = exchange(port, request)
    assert (status, told["error"]["code"]) == (413, "BODY_TOO_LARGE")


def _waiting_for_continue(port: int) -> None:
    headers = {"Content-Length": "10000000", "Expect": "100-continue"}
    status, told = exchange(port, head(make_trigger().key, headers))
    assert (status, told["error"]["code"]) == (413, "BODY_TOO_LARGE")


def _half_sent(port: int) -> None:
    trigger = make_trigger()
    headers = {"Content-Length": "100", "Content-Type": "text/plain"}
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
        connected.sendall(head(trigger.key, headers) + b"half")
    end = time.monotonic() + 10
    rows = InboundEvent.objects.filter(trigger=trigger, reason="malformed")
    while not rows.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert rows.exists()
    assert not Run.objects.filter(trigger=trigger).exists()


def _too_many_headers(port: int) -> None:
    headers = {f"X-{number}": "a" for number in range(1000)}
    status, _ = exchange(port, head(make_trigger().key, headers))
    assert 400 <= status < 500
