"""What PostgreSQL's sessions of the web server and of drains are, read from them."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from automate import env, web
from runs import tasks
from runs.engine import pulse, seats
from runs.models import Job
from runs.services import Event, Target, accept
from tests.runs.flows import given, publish
from workflows.models import Workflow

Opened = Callable[[bool], None]
PARAMETERS = (
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
)  # fmt: skip


@pytest.fixture(autouse=True)
def marks(tmp_path: Path) -> Iterator[None]:
    seats.use_folder(tmp_path)
    pulse.clear()
    yield
    seats.use_folder(None)
    pulse.clear()


@pytest.fixture
def configured(
    engine: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Opened]:
    """Sessions as the project's settings make them, with LISTEN or without."""
    real = connection.settings_dict

    def configure(listen: bool) -> None:
        monkeypatch.setenv("AUTOMATE_LISTEN", "1" if listen else "0")
        found = env.tuned(env.database(env.database_url()), tmp_path)
        for name in ("OPTIONS", "DISABLE_SERVER_SIDE_CURSORS"):
            monkeypatch.setitem(real, name, found.get(name, False))
        engine.LISTEN = listen
        connection.close()

    yield configure
    connection.close()


def of_the_web_server() -> dict[str, Any]:
    """The session of a process of the web server, after some requests."""
    try:
        web.preload()
    finally:
        gc.unfreeze()
    flow = publish(given("a"))
    for _ in range(12):
        submit(flow)
    return session()


def of_a_drain() -> dict[str, Any]:
    """The session of a drain that has finished runs, some of them under a lock."""
    flow = publish(given("a"), max_concurrent_runs=2)
    for number in range(12):
        submit(flow, key=str(number % 3))
    seen: list[dict[str, Any]] = []

    def look() -> float:
        if not Job.objects.exists():
            seen.append(session())
            pulse.put(pulse.Mark.STOPPING, 1)
        return 0.01

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "all_chores", lambda: [look])
        tasks.drain(0)
    return seen[0]


def submit(flow: Workflow, key: str = "") -> None:
    assert flow.published_id is not None
    accept(Target(flow.pk, flow.published_id, exclusive_key=key), Event(body=b""), None)


def session() -> dict[str, Any]:
    """Of this thread's connection: parameters, what is kept in it, its socket."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, setting, source FROM pg_settings "
            "WHERE name = ANY(%s) OR source = 'session'",
            [list(PARAMETERS)],
        )
        rows = cursor.fetchall()
        cursor.execute(
            "SELECT (SELECT count(*) FROM pg_prepared_statements), "
            "(SELECT count(*) FROM pg_listening_channels()), "
            "(SELECT count(*) FROM pg_locks "
            "WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
        )
        prepared, listens, locks = cursor.fetchone()
    return {
        "parameters": {name: int(text) for name, text, _ in rows if name in PARAMETERS},
        # What we set, at the start of the session or in it. The zone is one of those
        # that poolers carry from client to client.
        "set": {name for name, _, source in rows if source in ("client", "session")}
        - {"TimeZone"},
        "kept": {"prepared": prepared, "listens": listens, "locks": locks},
        "keepalives": keepalives(),
    }


def keepalives() -> dict[str, int]:
    """Seconds, a count and milliseconds, as libpq has them and the kernel too."""
    pgconn = connection.connection.pgconn
    given = {
        item.keyword.decode(): item.val.decode() for item in pgconn.info if item.val
    }
    names = {
        "keepalives_idle": socket.TCP_KEEPIDLE,
        "keepalives_interval": socket.TCP_KEEPINTVL,
        "keepalives_count": socket.TCP_KEEPCNT,
        "tcp_user_timeout": socket.TCP_USER_TIMEOUT,
    }
    found = {name: int(given[name]) for name in names}
    with socket.socket(fileno=os.dup(pgconn.socket)) as peer:
        if peer.family != socket.AF_UNIX:
            assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            for name, option in names.items():
                assert peer.getsockopt(socket.IPPROTO_TCP, option) == found[name]
    return found


BOTH = pytest.mark.parametrize("of_one", [of_the_web_server, of_a_drain])


@pytest.mark.postgresql
@BOTH
def test_a_session_has_time_outs_and_notices_a_peer_that_is_gone(
    configured: Opened, of_one: Callable[[], dict[str, Any]]
) -> None:
    """Shown to fail without `tune_sessions`, and with other keepalives."""
    configured(True)

    seen = of_one()

    assert seen["parameters"] == {
        "statement_timeout": 30_000,
        "lock_timeout": 10_000,
        "idle_in_transaction_session_timeout": 60_000,
    }
    assert seen["keepalives"] == {
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    assert seen["kept"]["prepared"] > 0


@pytest.mark.postgresql
@BOTH
def test_behind_a_transaction_pooler_nothing_is_kept_in_a_session(
    configured: Opened, of_one: Callable[[], dict[str, Any]]
) -> None:
    """The next transaction may be in another one. Shown to fail with the options of
    direct connections, and with `tune_sessions` whatever LISTEN is."""
    configured(False)

    seen = of_one()

    assert seen["kept"] == {"prepared": 0, "listens": 0, "locks": 0}
    assert seen["set"] == set()
    assert seen["keepalives"]["keepalives_idle"] == 15


@pytest.mark.postgresql
@pytest.mark.parametrize("listen", [True, False])
def test_rows_are_read_through_a_cursor_where_the_session_is_ours(
    configured: Opened,
    listen: bool,
) -> None:
    """One that outlives its transaction stays behind in the pooler's session, and is
    asked for in another. Shown to fail without DISABLE_SERVER_SIDE_CURSORS."""
    configured(listen)
    for _ in range(3):
        publish(given("a"))

    rows = Workflow.objects.all().iterator(chunk_size=1)
    next(rows)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE is_holdable")
        (held,) = cursor.fetchone()
    del rows

    assert held == (1 if listen else 0)


@pytest.mark.parametrize("listen", ["1", "0"])
def test_the_options_follow_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listen: str
) -> None:
    monkeypatch.setenv("AUTOMATE_LISTEN", listen)

    found = env.tuned(env.database("postgres://a@127.0.0.1/b"), tmp_path)

    ours = {"server_side_binding", "prepare_threshold"} & set(found["OPTIONS"])
    assert bool(ours) == (listen == "1")
    assert found["DISABLE_SERVER_SIDE_CURSORS"] == (listen == "0")
    assert "options" not in found["OPTIONS"]
