"""An older release's database is migrated, and its unfinished runs finish."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_permission_codename

from automate.accounts.roles import ROLES, may
from tests.processes import Process, eventually
from tests.upgrade.make_dump import KEYS

FOLDER = Path(__file__).resolve().parent
Query = Callable[[str], list[tuple[Any, ...]]]

pytestmark = pytest.mark.slow


def dumps(vendor: str) -> list[Path]:
    found = sorted(FOLDER.glob(f"*.{vendor}.sql"))
    assert found, f"no dump for {vendor}"
    return found


@pytest.mark.sqlite
@pytest.mark.parametrize("dump", dumps("sqlite"), ids=lambda path: path.stem)
def test_a_sqlite_database_is_upgraded(dump: Path, tmp_path: Path) -> None:
    name = tmp_path / "old.sqlite3"
    with sqlite3.connect(name) as database:
        database.executescript(dump.read_text())

    def query(statement: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(name, timeout=60) as reader:
            return reader.execute(statement).fetchall()

    assert upgrade(f"sqlite:///{name}", query, tmp_path) == FINISHED
    assert permissions(query) == tabled()


@pytest.fixture
def fresh_database() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    server = os.environ["TEST_DATABASE_URL"].rpartition("/")[0]
    name = f"automate_upgrade_{os.getpid()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.postgresql
@pytest.mark.parametrize("dump", dumps("postgresql"), ids=lambda path: path.stem)
def test_a_postgresql_database_is_upgraded(
    dump: Path, tmp_path: Path, fresh_database: str
) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute(dump.read_text())

    def query(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(fresh_database) as reader:
            return reader.execute(statement).fetchall()

    assert upgrade(fresh_database, query, tmp_path) == FINISHED
    assert permissions(query) == tabled()


@dataclass(frozen=True, slots=True)
class Finished:
    """What has become of the runs of an older release."""

    statuses: dict[str, int]
    repeated: list[tuple[Any, ...]]  # the step that was running, under its old key
    outputs: str  # of those that succeeded


FINISHED = Finished(
    statuses={"succeeded": 4, "dead_letter": 1},
    repeated=[("succeeded", 2)],
    outputs="[{'n': 1}, {'n': 2}, {'n': 4}, {'n': 5}]",
)


def upgrade(url: str, query: Query, tmp_path: Path) -> Finished:
    """Migrate, and let a cluster finish what is there."""
    assert statuses(query) == {
        "queued": 1,
        "running": 2,
        "succeeded": 1,
        "dead_letter": 1,
    }
    [(key,)] = query(
        "SELECT idempotency_key FROM runs_steprun WHERE status = 'running'"
    )
    environment = {
        **KEYS,
        "DATABASE_URL": url,
        "AUTOMATE_VAR_DIR": str(tmp_path),
        "AUTOMATE_LEASE": "3",
        "AUTOMATE_HEARTBEAT": "0.5",
        "DJANGO_SETTINGS_MODULE": "automate.settings",
    }
    manage(environment, "migrate", "--verbosity", "0")
    cluster = Process(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster"],
        tmp_path / "cluster.log",
        **environment,
    )
    try:
        eventually(lambda: query("SELECT count(*) FROM runs_job") == [(0,)], 120)
    finally:
        cluster.signal(signal.SIGTERM)
        cluster.wait()
    repeated = query(
        f"SELECT status, attempt FROM runs_steprun WHERE idempotency_key = '{key}'"
    )
    return Finished(statuses(query), repeated, outputs(environment))


def permissions(query: Query) -> dict[str, set[str]]:
    """What each role may do in the upgraded database."""
    rows = query(
        "SELECT g.name, c.app_label, p.codename FROM auth_group g "
        "JOIN auth_group_permissions m ON m.group_id = g.id "
        "JOIN auth_permission p ON p.id = m.permission_id "
        "JOIN django_content_type c ON c.id = p.content_type_id"
    )
    found: dict[str, set[str]] = {}
    for role, app, name in rows:
        found.setdefault(role, set()).add(f"{app}.{name}")
    return found


def tabled() -> dict[str, set[str]]:
    """What it may do in a new one."""
    known = {
        f"{meta.app_label}.{name}"
        for meta in (model._meta for model in apps.get_models())
        for name in (
            *(get_permission_codename(verb, meta) for verb in meta.default_permissions),
            *(name for name, _ in meta.permissions),
        )
    }
    return {role: {name for name in known if may(role, name)} for role in ROLES}


def statuses(query: Query) -> dict[str, int]:
    found = query("SELECT status, count(*) FROM runs_run GROUP BY status")
    return {str(status): int(count) for status, count in found}


def outputs(environment: dict[str, str]) -> str:
    """What the runs ended with, decrypted by the code of today."""
    code = (
        "from runs.models import Run; print([run.output for run in "
        "Run.objects.filter(status='succeeded').order_by('event_id')])"
    )
    return manage(environment, "shell", "--no-imports", "-c", code).strip()


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
