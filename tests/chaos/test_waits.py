"""Runs that wait for an answer outlive every process; the answer finishes them."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest
import requests

from runs.addresses import address_of
from runs.models import Job, Run
from tests.chaos.cluster import Cluster, send
from tests.chaos.conftest import Start
from tests.processes import eventually
from tests.runs.flows import again, edge, publish, started, steps
from tests.runs.waiting import ask, done, hook
from tests.webhooks.test_granian import granian

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
]


def asking() -> Run:
    """A run that waits for an approval and a webhook."""
    flow = publish(
        ask(timeout="1h"), hook(timeout="1h"), done("end"),
        connections=[edge("ask", "hook", "approved"), edge("hook", "end")],
    )  # fmt: skip
    return started(flow)


def call(port: int, run: Run, key: str, **request: Any) -> requests.Response:
    """Somebody with the step's address answers it."""
    path = re.sub(r"https?://[^/]+", "", address_of(run.pk, key))
    headers = {"Connection": "close"}
    url = f"http://127.0.0.1:{port}{path}"
    return requests.post(url, headers=headers, timeout=60, **request)


def kill_all(cluster: Cluster) -> None:
    """Everything at once, as a power cut does."""
    while pids := cluster.pids():
        send(pids, signal.SIGKILL)
        eventually(lambda pids=pids: not pids & set(cluster.pids()))  # type: ignore[misc]


def test_a_wait_survives_the_death_of_all_processes(
    start: Start, tmp_path: Path
) -> None:
    run = asking()
    first = start()
    eventually(lambda: steps(run).get("ask") == "waiting")
    with granian(tmp_path) as port:
        kill_all(first)
        # Nobody works: the answer is taken over all the same.
        answer = call(port, run, "ask", json={"decision": "approved"})
        assert answer.status_code == 200, answer.text
    assert steps(run)["ask"] == "succeeded"

    second = start()
    eventually(lambda: steps(run).get("hook") == "waiting")
    assert Job.objects.get(run=run).lease_token is None
    kill_all(second)
    start()
    with granian(tmp_path) as port:  # another web process than the one before
        assert call(port, run, "hook", json={"n": 1}).status_code == 200
        eventually(lambda: again(run).status == "succeeded")
        late = call(port, run, "hook", json={"n": 2})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "ALREADY_ANSWERED")
    assert steps(run) == dict.fromkeys(("ask", "hook", "end"), "succeeded")


def test_a_time_out_comes_although_all_were_killed(start: Start) -> None:
    flow = publish(
        ask(timeout="12s"), done("late"), connections=[edge("ask", "late", "timeout")]
    )
    run = started(flow)
    first = start()
    eventually(lambda: steps(run).get("ask") == "waiting")
    kill_all(first)
    start()
    eventually(lambda: again(run).status == "succeeded")
    assert steps(run) == {"ask": "succeeded", "late": "succeeded"}
