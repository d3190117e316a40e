"""I6: nothing of the database is held while the network is awaited."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection

from runs.engine.perform import DatabaseInStep, forbid_database
from runs.models import Job, Run
from tests.automate.lib.net.servers import Server, stall
from tests.runs.drains import draining, in_thread, until
from tests.runs.faults import other_session
from tests.runs.flows import again, call, publish, started
from tests.runs.kinds import teach, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done

pytestmark = pytest.mark.usefixtures("engine")


def test_an_action_that_queries_fails_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown to fail without `forbid_database`."""
    teach(monkeypatch, looks=lambda _: Done(output=Run.objects.count()))
    run = started(publish(told("a", "looks")))
    with draining():
        until(lambda: not Job.objects.exists())

    ended = again(run)
    assert (ended.status, ended.error_class) == ("failed", "internal")
    assert "steps may not use the database" in ended.error_message


@pytest.mark.parametrize("how", ["orm", "cursor", "many"])
def test_no_way_leads_to_the_database(how: str) -> None:
    ways: dict[str, Any] = {
        "orm": lambda: list(Run.objects.all()),
        "cursor": lambda: connection.cursor().execute("SELECT 1"),
        "many": lambda: connection.cursor().executemany("SELECT %s", [[1]]),
    }
    caught: list[type[BaseException]] = []

    def work() -> None:
        forbid_database()
        try:
            ways[how]()
        except DatabaseInStep as error:
            caught.append(type(error))
        assert connection.connection is None, "a session was opened for nothing"
        caught.append(StopIteration)

    in_thread(work).join(60)
    assert caught == [DatabaseInStep, StopIteration]


def test_a_step_thread_has_no_open_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, bool]] = []

    def look(_: Context) -> Done:
        seen.append((connection.in_atomic_block, connection.connection is not None))
        return Done()

    teach(monkeypatch, look=look)
    started(publish(told("a", "look"), told("b", "look")))
    with draining():
        until(lambda: not Job.objects.exists())

    assert seen == [(False, False)] * 2


@pytest.mark.postgresql
def test_every_session_is_idle_while_a_receiver_is_slow() -> None:
    """Shown to fail when a drain performs steps within its transaction."""
    with Server(stall) as server, draining(), other_session() as other:
        runs = [started(publish(call("a", server.url, timeout=200))) for _ in range(3)]
        server.wait_for_requests(3)
        connection.close()
        time.sleep(1)

        def all_short() -> bool:
            rows = other.execute(
                "SELECT xact_start < clock_timestamp() - interval '0.5 s'"
                " FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
            assert rows
            return not any(row[0] for row in rows)

        until(all_short)  # a transaction that waits would be as old as the requests
        assert {again(run).status for run in runs} == {"running"}


@pytest.mark.sqlite
def test_others_can_write_while_a_receiver_is_slow() -> None:
    """SQLite has one writer. Shown to fail when a drain performs within its own."""
    with Server(stall) as server, draining():
        run = started(publish(call("a", server.url, timeout=60)))
        server.wait_for_requests(1)
        for _ in range(5):
            started(publish(told("a", "nothing")))
        assert again(run).status == "running"
