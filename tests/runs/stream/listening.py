"""The real listener, as `manage.py stream` starts it, on the test's database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings

from automate import ports
from automate.env import BASE_DIR
from tests.processes import Process, eventually, running
from tests.streams import Events, Socket
from tests.webhooks.test_granian import database_url

T = TypeVar("T", Events, Socket)


@dataclass
class Listener:
    """Its process and port."""

    process: Process
    port: int
    clients: list[Events | Socket] = field(default_factory=list)

    def events(self, run: UUID, timeout: float = 90, **headers: str) -> Events:
        url = f"http://127.0.0.1:{self.port}/api/v1/runs/{run}/events"
        return self._kept(Events(url, timeout, **headers))

    def socket(self, path: str, **headers: str) -> Socket:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self._kept(Socket(f"ws://127.0.0.1:{self.port}{path}", named))

    def _kept(self, client: T) -> T:
        self.clients.append(client)
        return client

    def forget(self) -> None:
        """Close what clients a test has left open."""
        for client in self.clients:
            client.close()
        self.clients.clear()


@contextmanager
def listening(
    folder: Path,
    *options: str,
    database: str = "",
    site: str = "http://127.0.0.1:8000",
) -> Iterator[Listener]:
    """Until the end of the block; `site` is where the web server would be."""
    port = ports.free_port()
    line = [sys.executable, str(Path(BASE_DIR, "manage.py")), "stream"]
    line += ["--port", str(port), *options]
    environment: dict[str, Any] = {
        "PYTHONPATH": str(BASE_DIR),
        "DATABASE_URL": database or database_url(),
        "AUTOMATE_VAR_DIR": str(folder),
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "AUTOMATE_PUBLIC_URL": site,
        "DJANGO_SETTINGS_MODULE": "automate.settings",
    }
    with running(line, folder / "log", **environment) as process:
        eventually(lambda: ports.why_taken("127.0.0.1", port) != "")
        made = Listener(process, port)
        try:
            yield made
        finally:
            made.forget()
