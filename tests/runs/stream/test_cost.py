"""What many viewers cost: the database, and memory when they do not read."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from automate.accounts.models import ApiKey, Team
from runs.models import Job, Run
from tests.admin_world import operator, signed_in
from tests.makers import (
    make_job,
    make_key,
    make_run,
    make_step,
    make_user,
    make_workflow,
)
from tests.processes import eventually
from tests.runs.stream.counting import Relay
from tests.runs.stream.listening import listening
from tests.runs.stream.test_listener import PAGE, finish, move
from tests.streams import Events, Socket, Told
from workflows.models import Workflow

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.once,
]

RUNS, VIEWERS = 10, 200
SECONDS = 25  # two looks at everybody's rights, and more


@pytest.fixture
def relay() -> Iterator[Relay]:
    about = connection.settings_dict
    made = Relay(about["HOST"] or "/var/run/postgresql", int(about["PORT"] or 5432))
    yield made
    made.close()


def through(relay: Relay) -> str:
    about = connection.settings_dict
    user = f"{quote(about['USER'])}:{quote(about['PASSWORD'])}"
    name = quote(about["NAME"])
    return f"postgres://{user}@127.0.0.1:{relay.port}/{name}?sslmode=disable"


def running_run(workflow: Workflow) -> Run:
    run = make_run(workflow, status="running")
    make_job(run, due_in=3600)
    for number in range(10):
        make_step(run, f"step-{number}", status="running")
    return run


def watched(relay: Relay, runs: list[Run]) -> tuple[list[float], float]:
    """When the listener asked while nine of ten runs changed again and again, and for
    how many seconds they did."""
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        time.sleep(2.5)
        for run in runs[:-1]:
            move(run)
    ended = time.monotonic()
    return [at for at in relay.asked if began < at < ended], ended - began


def ended_runs(reader: Socket) -> set[str]:
    """The runs of a workflow of which it is told that they have succeeded."""
    ends: set[str] = set()
    while len(ends) < RUNS:
        message = reader.next()
        if message["data"] and message["data"]["status"] == "succeeded":
            ends.add(message["data"]["id"])
    return ends


@pytest.mark.postgresql
def test_200_viewers_cost_at_most_one_query_a_second(
    relay: Relay, tmp_path: Path
) -> None:
    """Of ten runs and a workflow, by keys and by sessions, while runs change."""
    team = Team.objects.create(name="Ours", slug="ours")
    user, person = make_user(), operator("runs.view_run", team=team)
    user.teams.add(team)
    workflow = make_workflow(team=team)
    runs = [running_run(workflow) for _ in range(RUNS)]
    keys = [make_key(user) for _ in range(4)]
    # Not what is counted here: when a key was last used.
    ApiKey.objects.update(last_used_at=timezone.now() + timedelta(hours=1))
    session = signed_in(person).session.session_key
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"

    with listening(tmp_path, database=through(relay)) as listener:
        readers = []
        for number in range(VIEWERS - 20):
            run, key = runs[number % RUNS], keys[number % 4]
            readers.append(listener.events(run.pk, timeout=120, x_api_key=key))
        for number in range(10):
            readers.append(
                listener.events(
                    runs[number].pk, timeout=120, cookie=cookie, origin=PAGE
                )
            )
        sockets = [
            listener.socket(
                f"/ws/workflows/{workflow.slug}", X_Api_Key=keys[number % 4]
            )
            for number in range(10)
        ]
        assert {reader.status for reader in readers} == {200}
        asked, seconds = watched(relay, runs)
        assert SECONDS * 0.4 < len(asked) <= seconds + 1
        # In any second, not on average alone; but one that was held up may come late.
        pauses = [after - before for before, after in pairwise(asked)]
        assert all(
            after > 0.9 or before + after > 1.8 for before, after in pairwise(pauses)
        ), pauses
        # And they were told: each of them, of the end of its run.
        for run in runs:
            finish(run)
        for reader in readers:
            told = reader.rest()
            assert told[-1].kind == "end"
        for one in sockets:
            assert len(ended_runs(one)) == RUNS


@pytest.mark.postgresql
def test_streams_outlive_a_database_that_is_away(relay: Relay, tmp_path: Path) -> None:
    run, key = make_run(status="running"), make_key()
    make_job(run, due_in=3600)
    make_step(run, status="running")
    with listening(tmp_path, database=through(relay)) as listener:
        reader = listener.events(run.pk, timeout=120, x_api_key=key)
        reader.until(lambda event: event.kind == "step")
        relay.go_away()
        time.sleep(3)
        refused = listener.events(run.pk, x_api_key=key)
        assert refused.status == 503
        assert refused.answer.headers["Retry-After"]
        finish(run)
        relay.come_back()

        assert [event.kind for event in reader.rest()] == ["run", "end"]
        assert listener.events(run.pk, x_api_key=key).status == 200


def news(reader: Events) -> list[Told]:
    """What one look found: all events up to the one with the next id."""
    known = reader.last_id
    return reader.until(lambda event: event.id != known)


@contextmanager
def lazy_readers(port: int, run: Run, key: str) -> Iterator[set[int]]:
    """50 readers who ask and never read: their ports."""
    path = f"/api/v1/runs/{run.pk}/events"
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"X-Api-Key: {key}"]
    with ExitStack() as stack:
        ports = set()
        for _ in range(50):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", port))
            one.sendall("\r\n".join([*lines, "", ""]).encode())
            ports.add(one.getsockname()[1])
        yield ports


def held(server: psutil.Process) -> set[int]:
    """The ports of the clients whose connections it keeps."""
    found = server.net_connections("tcp")
    return {one.raddr.port for one in found if one.status == psutil.CONN_ESTABLISHED}


# 20 looks, a second and more each, and the minute that they have to be let go.
@pytest.mark.timeout(500)
def test_readers_who_do_not_read_cost_little_and_are_let_go(tmp_path: Path) -> None:
    """50 of them, of a run with 800 steps that change each second."""
    run, key = make_run(status="running"), make_key()
    make_job(run, due_in=3600)
    for number in range(800):
        make_step(run, f"a-step-with-a-long-name-{number:04}", status="running")
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now())

    with listening(tmp_path) as listener:
        attentive = listener.events(run.pk, timeout=120, x_api_key=key)
        news(attentive)
        server = psutil.Process(listener.process.pid).children()[0]
        with lazy_readers(listener.port, run, key) as lazy:
            eventually(lambda: lazy <= held(server))
            time.sleep(3)
            before = most = server.memory_info().rss
            for second in range(20):
                status = "running" if second % 2 else "succeeded"
                run.step_runs.update(status=status)
                Job.objects.filter(run=run).update(seq=second + 1)
                told = news(attentive)
                assert [event.data["status"] for event in told] == [status] * 800
                most = max(most, server.memory_info().rss)

            # Each was due some 3.5 MB; without a bound that were 180 MB.
            assert most - before < 100 * 2**20
            eventually(lambda: not lazy & held(server), 150)
        # Who reads stays.
        run.step_runs.update(status="succeeded")
        finish(run)
        assert attentive.rest()[-1].kind == "end"
