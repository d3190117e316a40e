"""The web server and the stream listener in processes, on the test's database."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from automate_client import Automate
from django.conf import settings as ours
from pytest_django import Settings

from automate import ports
from tests.acceptance.site import MANAGE
from tests.makers import make_key, make_user
from tests.processes import eventually, running
from tests.runs.drains import LOOPBACK, draining
from tests.webhooks.test_granian import database_url


@pytest.fixture(scope="package")
def url(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    web, stream = ports.free_port(), ports.free_port()
    environment = {
        "AUTOMATE_VAR_DIR": str(folder / "var"),
        "DATABASE_URL": database_url(),
        "SECRET_KEY": "for this test only, of forty characters",
        "FIELD_ENCRYPTION_KEYS": ",".join(ours.FIELD_ENCRYPTION_KEYS),
        "DJANGO_SETTINGS_MODULE": "automate.settings",
        "AUTOMATE_PUBLIC_URL": f"http://127.0.0.1:{web}",
        "AUTOMATE_STREAM_URL": f"http://127.0.0.1:{stream}",
        "PYTHONPATH": os.pathsep.join([str(ours.BASE_DIR), *sys.path]),
    }
    lines = {
        web: [sys.executable, "-m", "automate.web", "--workers", "1"],
        stream: [*MANAGE, "stream"],
    }
    with ExitStack() as stack:
        for port, line in lines.items():
            log = folder / f"{port}.log"
            whole = [*line, "--port", str(port)]
            stack.enter_context(running(whole, log, **environment))
        for port in lines:
            eventually(lambda port=port: _is_taken(port), 120)  # type: ignore[misc]
        yield f"http://127.0.0.1:{web}"


def _is_taken(port: int) -> bool:
    return bool(ports.why_taken("127.0.0.1", port))


@pytest.fixture
def automate(url: str, transactional_db: Any) -> Automate:
    """A client that may do everything."""
    return Automate(url, make_key(make_user(is_superuser=True), "admin"))


@pytest.fixture
def at_work(settings: Settings, transactional_db: Any) -> Iterator[None]:
    """A drain, for as long as the test takes."""
    settings.ALLOWED_NETWORKS = LOOPBACK
    settings.LISTEN = False
    settings.POLL = 0.02
    with draining():
        yield
