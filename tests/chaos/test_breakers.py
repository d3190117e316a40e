"""A process that dies with the one probe of a dead receiver takes nothing with it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from datetime import timedelta

import psutil
import pytest
from django.db.models.functions import Now

from runs.models import Job, Run, StepRun
from tests.automate.lib.net.servers import Server, answer, read_request
from tests.chaos.cluster import Cluster
from tests.chaos.conftest import Start
from tests.processes import eventually
from tests.runs.flows import accepted, attempts, call, publish
from workflows.models import Breaker, Connection, Workflow

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
]

RUNS = 6


class Dying(Server):
    """Answers nothing to the first request, and everything after `recover`."""

    def __init__(self) -> None:
        self.works = False
        super().__init__(self._take)

    def _take(self, sock: socket.socket, _: Server) -> None:
        while request := read_request(sock):
            self.requests.append(request)
            if not self.works:
                self.done.wait(300)
                return
            sock.sendall(answer(b"{}", "200 OK", "Content-Type: application/json"))


@pytest.fixture
def dying() -> Iterator[Dying]:
    server = Dying()
    with server:
        yield server


def flow_behind_an_open_breaker(server: Dying) -> Workflow:
    """Its breaker has opened before, and now is the moment of a probe."""
    link = Connection.objects.create(
        name="crm",
        kind="bearer",
        allowed_hosts=["127.0.0.1"],
        credentials={"token": "t"},
    )
    moment = Now() - timedelta(seconds=1)
    Breaker.objects.create(
        connection=link, state="open", opened_at=moment, probe_at=moment
    )
    step = call(
        "send",
        f"{server.url}/",
        config={"connection": "crm"},
        timeout=120,
        retry={"max_attempts": 2, "initial": 0.1, "jitter": 0},
    )
    return publish(step)


def holder(cluster: Cluster, server: Dying) -> int:
    """The process that waits for this receiver's answer."""
    found = []
    for pid in cluster.of("drain"):
        with contextlib.suppress(psutil.NoSuchProcess):
            ends = psutil.Process(pid).net_connections("tcp")
            if any(end.raddr and end.raddr.port == server.port for end in ends):
                found.append(pid)
    [pid] = found
    return pid


def held_back() -> int:
    return StepRun.objects.filter(status="waiting", waiting_for="breaker").count()


def test_another_process_probes_when_the_lease_of_a_killed_one_has_ended(
    start: Start, dying: Dying
) -> None:
    cluster = start()
    flow = flow_behind_an_open_breaker(dying)
    for number in range(RUNS):
        accepted(flow, {"n": number})
    eventually(lambda: len(dying.requests) == 1 and held_back() == RUNS - 1)
    row = Breaker.objects.get()
    probing = row.probe_run
    assert row.state == "probing"
    assert probing is not None
    lease = Job.objects.get(run=probing).lease_token

    os.kill(holder(cluster, dying), signal.SIGKILL)
    dying.works = True
    eventually(lambda: len(dying.requests) > 1)
    eventually(lambda: not Job.objects.exists())

    assert lease is not None
    assert set(Run.objects.values_list("status", flat=True)) == {"succeeded"}
    assert Breaker.objects.get().is_closed
    # The lost one may have had its effect; it is one of two tries, the other answered.
    made = {
        run.pk: [item.outcome for item in attempts(run)] for run in Run.objects.all()
    }
    assert made.pop(probing) == ["unknown", "delivered"]
    assert list(made.values()) == [["delivered"]] * (RUNS - 1)
    tries = StepRun.objects.exclude(run=probing).values_list("attempt", flat=True)
    assert set(tries) == {1}
    assert len(dying.requests) == RUNS + 1
