"""The database goes away and comes back: drains hold on, and nothing is lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from tests.chaos.conftest import Start
from tests.chaos.load import fates, finish, flow, once_each, post
from tests.chaos.receiver import Receiver
from tests.chaos.test_kill import ordinary_tasks_pass
from tests.processes import eventually

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.postgresql,
]


@contextlib.contextmanager
def away() -> Iterator[None]:
    """While the block runs every connection to the database is cut or refused."""
    name = connection.settings_dict["NAME"]
    parameters = {**connection.get_connection_params(), "dbname": "postgres"}
    kept = ("host", "port", "user", "password", "dbname")
    server = {key: parameters[key] for key in kept if key in parameters}
    connection.close()
    alter = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(**server, autocommit=True) as admin:
        admin.execute(alter.format(sql.Identifier(name), sql.Literal(False)))
        try:
            cut_all(admin, name)
            yield
        finally:
            admin.execute(alter.format(sql.Identifier(name), sql.Literal(True)))


def cut_all(admin: psycopg.Connection, name: str) -> None:
    """End every connection to this database."""
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
        [name],
    )


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(2, id="shorter"),
        pytest.param(8, id="longer", marks=pytest.mark.slow),
    ],
)
def test_what_was_in_flight_is_recorded_when_the_database_is_back(
    start: Start, receiver: Receiver, seconds: float
) -> None:
    """Also after an outage longer than a lease: live workers renew before they reap."""
    receiver.delay = 1.0
    workflow = flow(receiver)
    cluster = start()
    before = cluster.pids()
    post(workflow, 60)
    eventually(lambda: len(receiver.received) >= 20)
    with away():
        time.sleep(1.5)  # all that was in flight is answered
        answered = len(receiver.received)
        time.sleep(seconds - 1.5)
        assert len(receiver.received) == answered  # nothing new is begun
    finish()
    assert fates(receiver) == once_each(60)
    assert "lease(s) expired" not in cluster.output
    assert "anew" not in cluster.output
    ordinary_tasks_pass()
    # Its monitor or pusher may be another one; main, sentinel and drains are not.
    assert set(cluster.drains()) <= before
    cluster.wait_until_whole()


@pytest.mark.slow
def test_connections_that_are_cut_again_and_again_lose_and_repeat_nothing(
    start: Start, receiver: Receiver
) -> None:
    """Each cut hits some transactions at their commit: was it applied or not?"""
    workflow = flow(receiver)
    cluster = start()
    count = 0
    for _ in range(12):
        post(workflow, 40)
        count += 40
        with away():
            time.sleep(0.1)
    finish()
    assert fates(receiver) == once_each(count)
    assert "lease(s) expired" not in cluster.output


@pytest.mark.slow
def test_a_stop_while_the_database_is_away_is_prompt_and_loses_nothing(
    start: Start, receiver: Receiver
) -> None:
    receiver.delay = 0.5
    workflow = flow(receiver)
    first = start()
    post(workflow, 30)
    eventually(lambda: len(receiver.received) >= 10)
    with away():
        assert first.stop() == 0
        assert not first.pids()
    start()
    finish()
    assert len(receiver.runs) == 30
    assert receiver.repeated <= 16
    assert receiver.has_one_key_a_run()


def test_a_cluster_that_starts_without_a_database_waits_for_it(
    start: Start, receiver: Receiver
) -> None:
    workflow = flow(receiver)
    post(workflow, 3)
    with away():
        cluster = start(whole=False)
        cluster.process.wait_for("anew")
    cluster.wait_until_whole()
    finish()
    assert fates(receiver) == once_each(3)
    assert "Traceback" not in cluster.output
