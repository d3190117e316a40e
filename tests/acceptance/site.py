"""A whole site in real processes, as `manage.py up` starts it, and how one uses it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from automate import ports
from automate.env import BASE_DIR
from tests.processes import Process, eventually, running, with_environment

START = 120.0  # seconds, on a machine that does much else
MANAGE = [sys.executable, str(Path(BASE_DIR, "manage.py"))]


@dataclass
class Site:
    """Its folder, database (None: SQLite) and port; `changes` of its environment."""

    folder: Path
    database: str | None
    changes: dict[str, str]

    def __post_init__(self) -> None:
        self.port = ports.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: Process | None = None
        self._key = ""

    def environment(self) -> dict[str, str | None]:
        """That of every process of the site."""
        return {
            "AUTOMATE_VAR_DIR": str(self.folder / "var"),
            "DATABASE_URL": self.database,
            "DJANGO_SETTINGS_MODULE": "automate.settings",
            "AUTOMATE_PUBLIC_URL": self.url,
            "AUTOMATE_ALLOWED_NETWORKS": "127.0.0.0/8",
            **self.changes,
        }

    def up(self) -> None:
        """Start it, and wait until it answers."""
        log = self.folder / f"up-{len(list(self.folder.glob('up-*')))}.log"
        line = [*MANAGE, "up", "--migrate", "--port", str(self.port)]
        self._process = Process(line, log, **self.environment())
        self._process.wait_for("Serving ", START)
        eventually(self._is_ready, START)

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """As the machine's reset button does."""
        var = str(self.folder / "var")
        while pids := with_environment("AUTOMATE_VAR_DIR", var):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):  # it ended just now
                    os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.kill()

    def manage(self, *arguments: str, **changes: str) -> str:
        """What a command prints."""
        log = self.folder / "command.txt"
        environment = {**self.environment(), **changes}
        with running([*MANAGE, *arguments], log, **environment) as command:
            assert command.wait() == 0, command.output
        return command.output

    def publish(self, documents: str) -> str:
        """Import these workflows, written in YAML; what was said."""
        path = self.folder / "workflows.yaml"
        path.write_text(documents)
        return self.manage("import_workflows", str(path), "--publish")

    def post(self, path: str, payload: Any = None, **more: Any) -> requests.Response:
        """An event for the webhook of this path."""
        url = f"{self.url}/v1/webhooks/{path}"
        return requests.post(url, json=payload, timeout=90, **more)

    def started(self, path: str, payload: Any = None) -> str:
        """The id of the run that the event became."""
        reply = self.post(path, payload)
        assert reply.status_code == 202, reply.text
        run_id: str = reply.json()["run_id"]
        return run_id

    def api(self, path: str) -> Any:
        """What the API answers to this GET."""
        if not self._key:
            self._key = self._make_key()
        headers = {"Authorization": f"Bearer {self._key}"}
        reply = requests.get(f"{self.url}/api/v1/{path}", headers=headers, timeout=90)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def _make_key(self) -> str:
        account = {
            "DJANGO_SUPERUSER_EMAIL": "ann@example.com",
            "DJANGO_SUPERUSER_PASSWORD": "a long pass phrase",
        }
        self.manage("createsuperuser", "--noinput", **account)
        scopes = ["runs:read", "payloads:read", "runs:execute"]
        arguments = ["ann@example.com", "--name", "tests", "--scope", *scopes]
        return self.manage("create_api_key", *arguments).strip().splitlines()[-1]

    def ended(self, run_id: str, seconds: float = 90.0) -> dict[str, Any]:
        """The run as the API shows it once it has ended."""
        found: dict[str, Any] = {}

        def is_over() -> bool:
            found.update(self.api(f"runs/{run_id}"))
            return found["completed_at"] is not None

        eventually(is_over, seconds)
        return found

    def outcome(self, path: str, payload: Any = None) -> dict[str, Any]:
        """Post an event and wait for the end of its run."""
        return self.ended(self.started(path, payload))
