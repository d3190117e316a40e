"""The demonstration's receiver, as the separate program that it is."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from automate import ports
from automate.env import BASE_DIR
from tests.processes import Process, eventually, running

RECEIVER = str(Path(BASE_DIR, "automate", "demo", "receiver.py"))


@pytest.fixture
def port() -> int:
    return ports.free_port()


@pytest.fixture
def receiver(port: int, tmp_path: Path) -> Iterator[Process]:
    line = [sys.executable, "-I", "-S", RECEIVER, str(port)]
    with running(line, tmp_path / "log") as process:
        eventually(lambda: ports.why_taken("127.0.0.1", port) != "")
        yield process


def post(port: int, body: bytes, **headers: str) -> requests.Response:
    url = f"http://127.0.0.1:{port}/notify"
    return requests.post(url, data=body, headers=headers, timeout=60)


def test_it_answers_with_a_receipt_and_prints_what_came(
    receiver: Process, port: int
) -> None:
    answer = post(port, b'{"text": "gr\xc3\xbc\xc3\x9fe"}', **{"Idempotency-Key": "k1"})

    assert answer.status_code == 200
    assert answer.json() == {"received": True, "bytes": 19}
    printed = receiver.wait_for("grüße")
    assert "POST /notify  Idempotency-Key: k1" in printed


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"x" * 100_000])
def test_it_takes_any_body_and_prints_little(
    receiver: Process, port: int, body: bytes
) -> None:
    assert post(port, body).json()["bytes"] == len(body)
    receiver.wait_for("Idempotency-Key: none")
    assert len(receiver.output) < 1000


def test_it_refuses_what_is_too_large(receiver: Process, port: int) -> None:
    # It may close while the body is still on its way.
    with contextlib.suppress(requests.ConnectionError):
        assert post(port, b"x" * 2_000_000).status_code == 413
    assert post(port, b"ok").status_code == 200


def test_it_listens_on_loopback_alone(receiver: Process, port: int) -> None:
    tables = Path("/proc/net/tcp").read_text().splitlines()[1:]
    mine = [x.split()[1] for x in tables if x.split()[1].endswith(f":{port:04X}")]
    assert {address.partition(":")[0] for address in mine} == {"0100007F"}


def test_sigterm_ends_it(receiver: Process) -> None:
    receiver.signal(signal.SIGTERM)

    assert receiver.wait() == 0
