"""The web server's own parts; whole requests are in tests/acceptance."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from granian.server import Server
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from automate import ports, web
from automate.env import BASE_DIR
from runs.services.waiting import room
from tests.processes import Process, eventually, in_the_end, running


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (400, 1)])
def test_the_probe_asks_whether_the_site_is_ready(
    httpserver: HTTPServer, status: int, code: int
) -> None:
    httpserver.expect_request("/readyz").respond_with_data("", status=status)

    assert web.probe(httpserver.port) == code


def test_the_probe_comes_under_the_public_name(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMATE_PUBLIC_URL", "https://automate.example.com:8443/x")
    hosts: list[str] = []

    def answer(request: Request) -> Response:
        hosts.append(request.headers["Host"])
        return Response("")

    httpserver.expect_request("/readyz").respond_with_handler(answer)
    web.probe(httpserver.port)

    assert hosts == ["automate.example.com"]


def test_the_probe_of_nobody_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        web.main(["--probe", "--port", str(ports.free_port())])

    assert ended.value.code == 1
    assert "refused" in capsys.readouterr().err


def test_preloading_leaves_views_imported_and_memory_frozen() -> None:
    frozen = gc.get_freeze_count()
    try:
        assert callable(web.preload())
        assert "webhooks.views" in sys.modules
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(
    "given", [[], ["--waiting", "3", "--threads", "50"], ["--waiting", "400"]]
)
def test_at_most_half_of_the_threads_may_wait(
    given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And as many as work at once are left. Shown to fail with one thread less."""
    made: list[Any] = []
    monkeypatch.setattr(Server, "serve", lambda self, **_: made.append(self))
    monkeypatch.setattr(room, "capacity", 0)
    options = web._parser().parse_args(given)

    web.serve(lambda *_: [], options, workers=1)

    (server,) = made
    assert room.capacity == options.waiting
    assert room.capacity <= server.blocking_threads / 2
    assert server.blocking_threads - room.capacity >= options.threads


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Process, int]]:
    port = ports.free_port()
    line = [sys.executable, "-m", "automate.web", "--port", str(port)]
    line += ["--workers", "2", "--threads", "2"]
    python_path = str(BASE_DIR)
    with running(line, tmp_path / "log", PYTHONPATH=python_path) as process:
        eventually(lambda: len(workers(process)) == 2)
        eventually(lambda: ports.why_taken("127.0.0.1", port) != "")
        yield process, port


def workers(process: Process) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_workers_are_forks_that_share_most_of_their_memory(
    server: tuple[Process, int],
) -> None:
    for pid in workers(server[0]):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes = dict(line.split(":") for line in rollup.splitlines()[1:])
        kilobytes = {name: int(text.split()[0]) for name, text in sizes.items()}
        assert kilobytes["Pss"] < 0.7 * kilobytes["Rss"]


@pytest.mark.slow
def test_sigterm_stops_it_with_its_workers(server: tuple[Process, int]) -> None:
    process, port = server
    pids = workers(process)

    process.signal(signal.SIGTERM)

    assert process.wait() == 0
    assert not any(map(is_alive, pids))
    assert ports.why_taken("127.0.0.1", port) == ""


@pytest.mark.slow
def test_workers_do_not_outlive_a_main_process_that_was_killed(
    server: tuple[Process, int],
) -> None:
    process, _ = server
    pids = workers(process)

    process.signal(signal.SIGKILL)

    assert in_the_end(lambda: list(filter(is_alive, pids)), []) == []


DEAF = """
import os, signal, time
from automate import web
web.FOLLOW = web.KILL_AFTER = 0.1
main_process = os.getpid()
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    web.die_with(main_process)
    print("started", flush=True)
time.sleep(250)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nor_does_one_that_the_signal_does_not_reach(tmp_path: Path) -> None:
    """As while granian sets up its handlers. Shown to fail without `_follow`."""
    line = [sys.executable, "-c", DEAF]
    with running(line, tmp_path / "log", PYTHONPATH=str(BASE_DIR)) as process:
        process.wait_for("started")
        pids = workers(process)

        process.signal(signal.SIGKILL)

        assert in_the_end(lambda: list(filter(is_alive, pids)), []) == []


@pytest.mark.slow
def test_the_end_of_a_worker_is_an_error_of_the_server(
    server: tuple[Process, int],
) -> None:
    process, _ = server
    os.kill(workers(process)[0], signal.SIGKILL)

    assert process.wait() == 1
