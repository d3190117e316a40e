"""Waiting senders at the real server: they never stop the others, nor its end."""

from __future__ import annotations

import http.client
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import Settings

from automate import ports
from automate.env import BASE_DIR
from runs.models import Job, Run
from tests.processes import Process, eventually, in_the_end, running
from tests.runs.drains import draining, until
from tests.runs.faults import other_session
from tests.runs.flows import node, publish
from tests.webhooks.makers import make_trigger
from tests.webhooks.test_granian import database_url
from workflows.models import Trigger

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PLACES, SEATS = 2, 2


@contextmanager
def serving(folder: Path, port: int) -> Iterator[Process]:
    """One web process with two places and two seats for who waits."""
    line = [sys.executable, "-m", "automate.web", "--port", str(port)]
    line += ["--workers", "1", "--threads", str(PLACES), "--waiting", str(SEATS)]
    environment = {
        "PYTHONPATH": str(BASE_DIR),
        "DATABASE_URL": database_url(),
        "AUTOMATE_VAR_DIR": str(folder),
        "SECRET_KEY": "for this test only, of forty characters",
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "DJANGO_SETTINGS_MODULE": "automate.settings",
    }
    with running(line, folder / "log", **environment) as process:
        eventually(lambda: ports.why_taken("127.0.0.1", port) != "")
        yield process


@pytest.fixture
def others() -> int:
    """The sessions before the server starts: threads of this process have some."""
    return sessions() if connection.vendor == "postgresql" else 0


@pytest.fixture
def site(tmp_path: Path, others: int) -> Iterator[tuple[Process, int]]:
    port = ports.free_port()
    with serving(tmp_path, port) as process:
        yield process, port


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.POLL = 0.02
    settings.GRACE = 3.0


def responding(timeout: float = 30) -> Trigger:
    workflow = publish(node("answer", "respond", {"status": 201, "body": "done"}))
    config = {"response_mode": "wait", "response_timeout": timeout}
    return make_trigger(config, workflow)


def ask(port: int, trigger: Trigger) -> tuple[int, bytes, float]:
    """Status, body and seconds of one event."""
    began = time.monotonic()
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    caller.request("POST", f"/v1/webhooks/{trigger.key}", b"{}")
    answer = caller.getresponse()
    body = answer.read()
    caller.close()
    return answer.status, body, time.monotonic() - began


def sessions() -> int:
    """How many sessions others than this process's have on this database.

    Autovacuum's and parallel workers' are none of theirs.
    """
    with other_session() as other:
        row = other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' "
            "AND pid <> pg_backend_pid() AND pid <> %s",
            [connection.connection.info.backend_pid if connection.connection else 0],
        ).fetchone()
    return int(row[0]) if row else 0


def done(asked: list[Future[Any]]) -> list[Any]:
    return [item.result() for item in asked if item.done()]


def test_waiting_senders_leave_the_server_to_the_others(
    site: tuple[Process, int], others: int
) -> None:
    port, slow, plain = site[1], responding(), make_trigger({}, publish())
    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(ask, port, slow) for _ in range(8)]
        until(lambda: len(done(asked)) == 8 - SEATS)
        for status, body, took in done(asked):
            assert (status, took < 25) == (202, True)  # it would wait 30
            assert b"Too many requests wait" in body
        plains = [threads.submit(ask, port, plain) for _ in range(40)]
        times = sorted(item.result()[2] for item in plains)
        assert {item.result()[0] for item in plains} == {202}
        assert times[-1] < 25
        assert len(done(asked)) == 8 - SEATS  # they still wait
        if connection.vendor == "postgresql":
            assert sessions() - others <= PLACES + 2  # and those that hear and notify
        with draining():
            answers = Counter(item.result()[0] for item in asked)
        assert answers == {202: 8 - SEATS, 201: SEATS}


def test_a_sender_that_goes_away_keeps_its_seat_until_its_run_answers(
    site: tuple[Process, int],
) -> None:
    port, slow = site[1], responding()
    for number in range(SEATS):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as gone:
            head = f"POST /v1/webhooks/{slow.key} HTTP/1.1\r\nHost: localhost\r\n"
            gone.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
            until(lambda number=number: Run.objects.count() == number + 1)  # type: ignore[misc]
    status, body, _ = ask(port, slow)
    assert (status, b"Too many requests wait" in body) == (202, True)
    with draining():
        until(lambda: not Job.objects.exists())
        assert in_the_end(lambda: ask(port, slow)[0], 201) == 201


def test_a_server_that_stops_lets_its_waiting_senders_go(
    site: tuple[Process, int],
) -> None:
    """Shown to fail when nobody tells the room: it waits for them, then cuts them."""
    process, port = site
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(ask, port, responding())
        until(Run.objects.exists)
        time.sleep(0.5)  # it sits down
        process.signal(signal.SIGTERM)
        status, body, took = asked.result()
    assert (status, b"goes on" in body, took < 25) == (202, True, True)
    assert process.wait() == 0
    assert Job.objects.exists()


def test_a_server_that_was_restarted_answers_the_same_event(
    site: tuple[Process, int], tmp_path: Path
) -> None:
    """Its sender was cut off; the event is safe and it asks again."""
    process, port = site
    trigger = responding()
    Trigger.objects.filter(pk=trigger.pk).update(
        config={**trigger.config, "idempotency": {"by": "body"}}
    )
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(ask, port, trigger)
        until(Run.objects.exists)
        process.kill()
        with pytest.raises((OSError, http.client.HTTPException)):
            asked.result()
    with draining():
        until(lambda: not Job.objects.exists())
    with serving(tmp_path, port):
        assert ask(port, trigger)[:2] == (201, b"done")
    assert Run.objects.count() == 1
