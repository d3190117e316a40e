"""`make run`, as a newcomer types it: real processes over real sockets."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from automate import ports
from automate.env import BASE_DIR
from tests.processes import Process, eventually, running, with_environment

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.timeout(600)]
START = 120.0  # seconds, on a machine that does much else
PUSH = Path(BASE_DIR, "automate", "demo", "github_push.json")


@dataclass
class Home:
    """What a newcomer has: a folder, a free port, and perhaps a PostgreSQL."""

    folder: Path
    database: str | None
    port: int
    sites: list[Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str | None]:
        keys: dict[str, str | None] = {}
        if self.database is None:  # with SQLite they are made
            keys = {"SECRET_KEY": None, "FIELD_ENCRYPTION_KEYS": None}
        var = str(self.folder / "var")
        venv = str(Path(sys.prefix))
        return {
            **keys, "AUTOMATE_VAR_DIR": var, "DATABASE_URL": self.database,
            "VENV": venv, "AUTOMATE_PUBLIC_URL": None, "MAKEFLAGS": None,
        }  # fmt: skip

    def make_run(self) -> Process:
        number = len(list(self.folder.glob("*.log")))
        line = ["make", "--no-print-directory", "-C", str(BASE_DIR), "run"]
        log = self.folder / f"{number}.log"
        site = Process([*line, f"PORT={self.port}"], log, **self.environment())
        self.sites.append(site)
        return site

    def manage(self, *arguments: str) -> str:
        """What a command prints, run in the same home."""
        line = [sys.executable, str(Path(BASE_DIR, "manage.py")), *arguments]
        log = self.folder / "command.txt"
        with running(line, log, **self.environment()) as command:
            assert command.wait() == 0, command.output
        return command.output

    def processes(self) -> list[int]:
        return with_environment("AUTOMATE_VAR_DIR", str(self.folder / "var"))


@pytest.fixture
def home(tmp_path: Path, own_database: str | None) -> Iterator[Home]:
    home = Home(tmp_path, own_database, ports.free_port())
    yield home
    for site in home.sites:
        site.kill()
    for pid in home.processes():
        os.kill(pid, signal.SIGKILL)


def test_a_newcomer_sees_an_event_become_a_delivery(home: Home) -> None:
    first = home.make_run()
    told = first.wait_for("API: ", START)

    run_id = check_the_story(told, home)
    check_the_admin(told, home, run_id)
    key = check_the_api(home, run_id)
    check_a_chunked_body(told, home, key)
    stop(first, home)
    if home.database is None:
        assert (home.folder / "var" / "secrets.env").stat().st_mode & 0o777 == 0o600

    second = home.make_run()
    again = second.wait_for("API: ", START)

    assert "shown only this once" not in again
    assert "Applying" not in again
    assert "Collected" not in again
    assert webhook(again) == webhook(told)
    assert check_the_story(again, home) != run_id
    check_a_taken_port(home)
    stop(second, home)


def check_the_story(told: str, home: Home) -> str:
    """The run's id, each step with its time, the answer, the addresses."""
    run = re.search(r"^Run (\S+): succeeded, \d+ ms$", told, re.M)
    assert run, told
    assert re.search(r"Build the message +succeeded +\d+ ms", told)
    assert re.search(r"Post the message +succeeded +\d+ ms", told)
    assert re.search(r"POST http://127\.0\.0\.1:\d+/notify -> 200, \d+ ms", told)
    assert 'answer: {"received": true' in told
    assert "robin pushed 2 commit(s) to refs/heads/main" in told
    assert f"{home.url}/admin/runs/run/{run[1]}/change/" in told
    assert f"{home.url}/api/v1/runs/{run[1]}" in told
    return run[1]


def webhook(told: str) -> str:
    found = re.search(r"signed, to (\S+)", told)
    assert found
    return found[1]


def check_the_admin(told: str, home: Home, run_id: str) -> None:
    """The password works, the run's page is there, and its style sheets are."""
    account = re.search(r"e-mail: +(\S+)\s+password: +(\S+)", told)
    assert account
    with requests.Session() as session:
        page = session.get(f"{home.url}/admin/login/", timeout=90).text
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token
        form = {"username": account[1], "password": account[2]}
        form |= {"csrfmiddlewaretoken": token[1], "next": "/admin/"}
        session.post(f"{home.url}/admin/login/", form, timeout=90)
        url = f"{home.url}/admin/runs/run/{run_id}/change/"
        page = session.get(url, timeout=90, allow_redirects=False).text
        assert run_id in page
        styles = re.findall(r'href="(/static/[^"]+\.css)"', page)
        assert styles
        for style in styles:
            assert session.get(home.url + style, timeout=90).status_code == 200, style


def check_the_api(home: Home, run_id: str) -> str:
    """A key from the command line reads the record; the key."""
    key = home.manage(
        "create_api_key", "operator@example.com", "--name", "test",
        "--scope", "runs:read", "payloads:read",
    ).strip().splitlines()[-1]  # fmt: skip
    record = read_run(home, run_id, key)
    assert record["status"] == "succeeded"
    assert record["output"]["status"] == 200
    return key


def read_run(home: Home, run_id: str, key: str) -> dict[str, Any]:
    answer = requests.get(
        f"{home.url}/api/v1/runs/{run_id}",
        headers={"Authorization": f"Bearer {key}"},
        timeout=90,
    )
    assert answer.status_code == 200, answer.text
    record: dict[str, Any] = answer.json()
    return record


def check_a_chunked_body(told: str, home: Home, key: str) -> None:
    """A body without a Content-Length arrives whole: its signature matches."""
    path = webhook(told).rpartition("/")[2]
    padding = b'{"padding": "' + b"x" * 300_000 + b'", '
    body = padding + PUSH.read_bytes().lstrip()[1:]
    file = home.folder / "push.json"
    file.write_bytes(body)
    signature = sign(home, path, body)

    answer = requests.post(
        f"{home.url}/v1/webhooks/{path}",
        data=(body[start : start + 7000] for start in range(0, len(body), 7000)),
        headers={
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": "chunked-1",
            "X-Hub-Signature-256": signature,
        },
        timeout=90,
    )

    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    eventually(lambda: read_run(home, run_id, key)["status"] == "succeeded")
    payload = read_run(home, run_id, key)["payload"]
    assert isinstance(payload, dict)
    assert len(payload["padding"]) == 300_000


def sign(home: Home, path: str, body: bytes) -> str:
    """As the provider who shares the trigger's secret does."""
    secret = home.manage(
        "shell", "--verbosity", "0", "-c",
        "from workflows.models import Trigger;"
        f"print(Trigger.objects.get(key='{path}').secret)",
    ).strip().splitlines()[-1]  # fmt: skip
    from automate.lib.signing import github_signature

    return github_signature(secret.encode(), body)


def check_a_taken_port(home: Home) -> None:
    """A second `make run` on the port says who has it and how to choose another."""
    other = home.make_run()
    assert other.wait(60) != 0
    assert f"Port {home.port} of 127.0.0.1 cannot be used" in other.output
    assert "automate.web" in other.output
    assert "make run PORT=" in other.output


def stop(site: Process, home: Home) -> None:
    """Ctrl-C ends everything, and nothing is left behind."""
    site.interrupt()
    site.wait(60)
    assert "Stopped." in site.output
    assert "Traceback" not in site.output
    eventually(lambda: home.processes() == [])
    assert ports.why_taken("127.0.0.1", home.port) == ""
