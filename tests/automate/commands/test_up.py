"""manage.py up: what it refuses, and the line that it becomes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from pytest_django import Settings

from automate import ports
from automate.management.commands import up

pytestmark = pytest.mark.django_db


class Became(Exception):
    """In place of the exec: the process would be the supervisor from here on."""


@pytest.fixture(autouse=True)
def no_exec(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> Iterator[None]:
    settings.VAR_DIR = tmp_path

    def become(_path: str, line: list[str]) -> None:
        raise Became(line)

    monkeypatch.setattr("os.execv", become)
    monkeypatch.setattr("automate.static_files.collect", lambda: False)
    # Other tests go on with the same connection.
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    before, folder = dict(os.environ), os.getcwd()  # noqa: PTH109
    yield
    os.environ.clear()
    os.environ.update(before)
    os.chdir(folder)


def start(*arguments: Any) -> tuple[list[dict[str, Any]], str]:
    """The members of the plan that it would have become, and what it printed."""
    out = StringIO()
    with pytest.raises(Became) as became:
        call_command("up", *arguments, stdout=out)
    line = became.value.args[0]
    assert line[:3] == [sys.executable, "-I", "-S"]
    return json.loads(line[-1]), out.getvalue()


def test_the_web_server_comes_before_the_cluster_and_stops_first() -> None:
    port = ports.free_port()
    members, out = start("--port", port)

    names = [one["name"] for one in members]
    assert names == ["The web server", "The stream listener", "The cluster"]
    assert members[0]["command"][-2:] == ["--port", str(port)]
    assert members[2]["command"][-1] == "qcluster"
    assert f"Serving http://127.0.0.1:{port}" in out


def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    members, _ = start("--port", ports.free_port())
    assert members[0]["command"][3:5] == ["--host", "127.0.0.1"]

    members, out = start("--host", "0.0.0.0", "--port", ports.free_port())
    assert members[0]["command"][3:5] == ["--host", "0.0.0.0"]
    assert "http://127.0.0.1:" in out


def test_the_cluster_gets_longer_than_its_grace(settings: Settings) -> None:
    settings.GRACE = 40.0
    members, _ = start("--port", ports.free_port())

    assert members[2]["grace"] > 40


def test_the_demonstration_delivers_to_its_receiver() -> None:
    port = ports.free_port()
    members, _ = start("--port", port, "--demo")

    receiver, demo = members[3:]
    to = f"http://127.0.0.1:{receiver['command'][-1]}/notify"
    assert demo["command"][-2:] == ["--deliver-to", to]
    assert demo["once"]
    assert not receiver["once"]


def test_options_reach_the_members_through_the_environment() -> None:
    port = ports.free_port()
    start("--port", port, "--workers", 3, "--threads", 7, "--web", 1)

    names = ("AUTOMATE_WORKERS", "AUTOMATE_THREADS", "AUTOMATE_WEB")
    assert [os.environ[name] for name in names] == ["3", "7", "1"]
    assert os.environ["AUTOMATE_PUBLIC_URL"] == f"http://127.0.0.1:{port}"


def test_a_public_address_that_was_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMATE_PUBLIC_URL", "https://automate.example.com")
    _, out = start("--port", ports.free_port())

    assert os.environ["AUTOMATE_PUBLIC_URL"] == "https://automate.example.com"
    assert "Serving https://automate.example.com" in out


def shown_in_another_terminal(folder: Path, name: str = "PUBLIC_URL") -> str:
    """The setting of a command in its own process: what it shows links with."""
    ask = f"from django.conf import settings; print(settings.{name})"
    environment = {**os.environ, "AUTOMATE_VAR_DIR": str(folder)}
    del environment["AUTOMATE_PUBLIC_URL"]
    environment.pop("AUTOMATE_ALLOWED_NETWORKS", None)
    return subprocess.run(
        [sys.executable, "-c", ask],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_commands_of_another_terminal_show_the_address_it_serves_at(
    tmp_path: Path,
) -> None:
    port = ports.free_port()
    start("--port", port)

    assert shown_in_another_terminal(tmp_path) == f"http://127.0.0.1:{port}"


def test_they_know_which_networks_steps_may_call_there_and_may_call_none_themselves(
    tmp_path: Path, settings: Settings
) -> None:
    settings.ALLOWED_NETWORKS = [ip_network("127.0.0.0/8"), ip_network("fd00::/8")]
    start("--port", ports.free_port())
    known = shown_in_another_terminal(tmp_path, "SERVED_NETWORKS")
    assert known == "[IPv4Network('127.0.0.0/8'), IPv6Network('fd00::/8')]"
    assert shown_in_another_terminal(tmp_path, "ALLOWED_NETWORKS") == "[]"
    (tmp_path / "served-at").write_text("http://127.0.0.1:8000\nhalf a line")
    assert shown_in_another_terminal(tmp_path, "SERVED_NETWORKS") == "[]"


def test_what_was_written_there_by_others_is_no_address(tmp_path: Path) -> None:
    start("--port", ports.free_port())
    (tmp_path / "served-at").write_text("half a li")

    assert shown_in_another_terminal(tmp_path) == "http://127.0.0.1:8000"


def test_a_taken_port_is_told_with_its_owner_and_a_free_one() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(CommandError) as refused:
            call_command("up", "--port", port)

    text = str(refused.value)
    assert f"Port {port} of 127.0.0.1 cannot be used: address already in use" in text
    assert f"pid {os.getpid()}" in text
    other = int(text.partition("make run PORT=")[2].split()[0])
    assert ports.why_taken("127.0.0.1", other) == ""


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_an_impossible_port_is_refused(port: int) -> None:
    with pytest.raises(CommandError, match="choose 1 to 65535"):
        call_command("up", "--port", port)


@pytest.mark.parametrize("option", ["--workers", "--threads", "--web"])
def test_less_than_one_of_anything_is_refused(option: str) -> None:
    with pytest.raises(CommandError, match=f"{option} must be 1 or more"):
        call_command("up", "--port", ports.free_port(), option, 0)


def test_missing_migrations_are_refused_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(up, "missing_migrations", lambda: ["runs.0009_x"])

    with pytest.raises(CommandError, match=r"lacks runs.0009_x.\nRun: .* migrate"):
        call_command("up", "--port", ports.free_port())


def test_with_migrate_they_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(up, "missing_migrations", lambda: ["runs.0009_x"])
    monkeypatch.setattr(up, "call_command", lambda name, **_: called.append(name))

    _, out = start("--port", ports.free_port(), "--migrate")

    assert called == ["migrate"]
    assert "Preparing the database" in out


def test_a_database_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "ensure_connection", away)

    with pytest.raises(CommandError, match="cannot be reached: connection refused"):
        call_command("up", "--port", ports.free_port())
