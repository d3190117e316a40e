"""A hostile corpus at the real web server: no 500, little memory, answers of ours."""

from __future__ import annotations

import http.client
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from automate import ports
from automate.lib import jsonio
from runs.models import Run
from runs.payloads import open_rows
from tests.processes import Process, eventually, running
from tests.webhooks.makers import make_trigger
from tests.webhooks.test_corpus import KEPT, REFUSED
from tests.webhooks.test_granian import chunk, database_url, head
from webhooks.models import InboundEvent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.django_db(transaction=True),
]

GROWTH = 50 * 1024  # KiB
LARGE = 25 * 1024 * 1024
JSON = {"Content-Type": "application/json"}


class Site:
    """The web server with one process, and what its memory grew by at most."""

    def __init__(self, process: Process, port: int) -> None:
        self.port = port
        eventually(lambda: ports.why_taken("127.0.0.1", port) != "", 120)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        [worker] = children.read_text().split()
        self._proc = Path("/proc") / worker

    @contextmanager
    def watched(self) -> Iterator[list[int]]:
        """Its memory in KiB, again and again while the block lasts."""
        found, over = [self._resident()], threading.Event()

        def watch() -> None:
            while not over.wait(0.005):
                found.append(self._resident())

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            over.set()
            thread.join()

    def _resident(self) -> int:
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise LookupError("VmRSS")

    def send(self, request: bytes, *pieces: bytes, end: bool = False) -> Any:
        """(status, JSON or None) of one request; `end`: nothing more is sent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as sock:
            sock.sendall(request)
            for piece in pieces:
                sock.sendall(piece)
            if end:
                sock.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            content = answer.read()
        return answer.status, jsonio.loads(content) if content else None

    def post(self, trigger: Any, body: bytes, **headers: str) -> Any:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        named = {**JSON, "Content-Length": str(len(body)), **named}
        return self.send(head(trigger.key, named) + body)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port = ports.free_port()
    line = [sys.executable, "-m", "automate.web"]
    line += ["--port", str(port), "--workers", "1"]
    environment = {
        "DATABASE_URL": database_url(),
        "AUTOMATE_VAR_DIR": str(tmp_path),
        "SECRET_KEY": "for this test only, of forty characters",
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "DEBUG": "0",
    }
    with running(line, tmp_path / "log", **environment) as process:
        yield Site(process, port)


def body_of(told: Any) -> bytes:
    run = Run.objects.get(pk=told["run_id"])
    open_rows([run])
    return bytes(run.body)


def test_the_corpus(site: Site) -> None:
    """One server for all of it: its start is the slow part."""
    trigger = make_trigger()
    for _ in range(20):
        assert site.post(trigger, b"{}")[0] == 202
    checks = (_json, _kept, _sizes, _framing, _half_open, _parts, _headers)
    for check in (*checks, _large, _large_json, _large_read):
        with site.watched() as memory:
            check(site)
        assert max(memory) - memory[0] < GROWTH, check.__name__
    reasons = set(InboundEvent.objects.values_list("status", flat=True))
    assert not {status for status in reasons if status >= 500}


def _refused(answer: Any, status: int, code: str) -> None:
    assert answer[0] == status, answer
    assert answer[1]["error"]["code"] == code
    assert answer[1]["error"]["message"]


def _json(site: Site) -> None:
    trigger = make_trigger()
    for body, words in REFUSED.values():
        answer = site.post(trigger, body)
        _refused(answer, 400, "MALFORMED")
        assert words in answer[1]["error"]["message"]


def _kept(site: Site) -> None:
    trigger = make_trigger()
    for body in KEPT.values():
        status, told = site.post(trigger, body)
        assert status == 202
        assert body_of(told) == body
    for body, _ in REFUSED.values():
        status, told = site.post(trigger, body, Content_Type="application/pdf")
        assert status == 202
        assert body_of(told) == body


def _sizes(site: Site) -> None:
    trigger = make_trigger()
    body = b"x" * 10_000_000
    _refused(site.post(trigger, body), 413, "BODY_TOO_LARGE")
    chunked = {"Transfer-Encoding": "chunked", "Content-Type": "text/plain"}
    pieces = [chunk(body[:500_000])] * 20
    answer = site.send(head(trigger.key, chunked), *pieces, b"0\r\n\r\n")
    _refused(answer, 413, "BODY_TOO_LARGE")
    status, told = site.send(head(trigger.key, chunked), *pieces[:2], b"0\r\n\r\n")
    assert status == 202
    assert body_of(told) == body[:1_000_000]
    lists = b"[" + b"[]," * 340_000 + b"0]"  # much larger as Python's objects
    assert site.post(trigger, lists)[0] == 202


def _framing(site: Site) -> None:
    trigger = make_trigger()
    packed = site.post(trigger, b"\x1f\x8b\x08\x00", Content_Encoding="gzip")
    _refused(packed, 415, "UNSUPPORTED_ENCODING")
    short = head(trigger.key, {**JSON, "Content-Length": "100"}) + b'{"half":'
    _refused(site.send(short, end=True), 400, "MALFORMED")
    assert site.post(trigger, b"", Content_Length="0")[0] == 202
    before = Run.objects.count()
    with socket.create_connection(("127.0.0.1", site.port)) as sock:
        sock.sendall(short)
    time.sleep(0.5)
    assert Run.objects.count() == before


def _half_open(site: Site) -> None:
    """Four times as many as requests may be at work; they hold nobody up."""
    trigger = make_trigger()
    announced = {**JSON, "Content-Length": "100"}
    too_large = {**JSON, "Content-Length": "2000000"}
    with ExitStack() as stack:
        for number in range(32):
            to = ("127.0.0.1", site.port)
            sock = stack.enter_context(socket.create_connection(to))
            sock.sendall(head(trigger.key, (announced, too_large)[number % 2]) + b"{")
        time.sleep(1)
        begin = time.monotonic()
        assert site.post(trigger, b"{}")[0] == 202
        assert time.monotonic() - begin < 20


def _parts(site: Site) -> None:
    kind = "multipart/form-data; boundary=xx"
    part = b'--xx\r\nContent-Disposition: form-data; name="f"; filename="../%d"\r\n\r\n'
    body = b"".join(part % n + b"\x00\xff" * 20_000 + b"\r\n" for n in range(20))
    status, told = site.post(make_trigger(), body + b"--xx--", Content_Type=kind)
    assert status == 202
    assert body_of(told) == body + b"--xx--"
    for bad in (body, b"--xx " * 200_000, b"--xx\r\n" * 150_000, b"x"):
        answer = site.post(make_trigger(), bad, Content_Type=kind)
        _refused(answer, 400, "MALFORMED")


def _headers(site: Site) -> None:
    """Of more than 100 the server itself tells, and can't be told how."""
    many = {f"X-{number}": "a" for number in range(1000)}
    answer = site.send(head(make_trigger().key, many))
    assert answer == (431, None)
    assert site.post(make_trigger(), b"{}", X_Long="a" * 30_000)[0] == 202


def _large(site: Site) -> None:
    """What a trigger that allows it takes: 10 MB of bytes."""
    trigger = make_trigger({"max_body": LARGE})
    body = bytes(range(256)) * 40_000
    status, told = site.post(trigger, body, Content_Type="application/octet-stream")
    assert status == 202
    assert body_of(told) == body


def _large_json(site: Site) -> None:
    """10 MB of JSON, which would be up to 300 MB of Python's objects."""
    trigger = make_trigger({"max_body": LARGE})
    lists = b"[" + b"[]," * 3_400_000 + b"0]"
    row = b'{"id": 12345, "name": "a name", "tags": ["a", "b"], "paid": true},'
    rows = b'{"items": [' + row * 150_000 + b"{}]}"
    numbers = b"[" + b"12345," * 1_700_000 + b"0]"
    for body in (lists, numbers, rows):
        status, told = site.post(trigger, body)
        assert status == 202
        assert body_of(told) == body
    _refused(site.post(trigger, lists[:-1]), 400, "MALFORMED")


def _large_read(site: Site) -> None:
    """5 MB of which the condition builds the value."""
    trigger = make_trigger({"max_body": LARGE, "condition": "trigger.payload"})
    lists = b"[" + b"[]," * 3_400_000 + b"0]"
    _refused(site.post(trigger, lists), 413, "BODY_TOO_LARGE")
    rows = b'{"id": 1234, "name": "%b"},' % (b"a" * 240) * 19_000
    assert site.post(trigger, b"[" + rows + b"0]")[0] == 202
