"""A trigger's limit at four real web processes that share a database."""

from __future__ import annotations

import http.client
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_django import Settings

from automate import ports
from runs.models import Run
from tests.webhooks.makers import PUSH, make_trigger, signed
from tests.webhooks.test_waiting_web import serving
from webhooks.models import InboundEvent
from workflows.models import Trigger

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIMIT, PROCESSES = 100, 4


def posts(trigger: Trigger, port: int, count: int) -> Counter[tuple[int, bool]]:
    """How often each status came, with or without a Retry-After."""
    found: Counter[tuple[int, bool]] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(count):
        headers = {"Content-Type": "application/json", **signed(trigger)}
        connection.request("POST", f"/v1/webhooks/{trigger.key}", PUSH, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.headers["RateLimit-Policy"] == f'"trigger";q={LIMIT};w=3600'
        found[answer.status, "Retry-After" in answer.headers] += 1
    connection.close()
    return found


def test_four_processes_at_three_times_the_limit_accept_the_limit(
    tmp_path: Path, settings: Settings
) -> None:
    trigger = make_trigger({"scheme": "github", "rate_limit": f"{LIMIT}/h"})
    with ExitStack() as stack:
        doors = []
        for number in range(PROCESSES):
            folder = tmp_path / str(number)
            folder.mkdir()
            doors.append(ports.free_port())
            stack.enter_context(serving(folder, doors[-1]))
        with ThreadPoolExecutor(PROCESSES) as threads:
            each = 3 * LIMIT // PROCESSES
            found = sum(
                threads.map(lambda port: posts(trigger, port, each), doors), Counter()
            )

    assert found == {(202, False): LIMIT, (429, True): 2 * LIMIT}
    assert Run.objects.count() == LIMIT
    rows = InboundEvent.objects.filter(trigger=trigger)
    assert {row.reason for row in rows} == {"rate_limited"}
    # What a process has not written when it ends is lost: a number, nobody's event.
    assert 0 < sum(row.count for row in rows) <= 2 * LIMIT
    assert len(rows) <= 2
