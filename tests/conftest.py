"""What every test may ask for, and the choice of tests by database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from tests.emptying import empty

# Time is bounded where it is the rule under test; elsewhere a busy machine would fail
# a test at random.
hypothesis_settings.register_profile(
    "no deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("no deadline")

DATABASE_FIXTURES = {
    "db", "transactional_db", "django_db_setup", "django_db_reset_sequences",
    "django_db_serialized_rollback", "live_server",
}  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--only-database",
        action="store_true",
        help="Only tests that use a database: the second pass of `make test`.",
    )


# What PostgreSQL alone can prove, or what has statements of its own for it.
ENGINE = (
    "tests/runs/engine/", "tests/chaos/", "tests/upgrade/",
    "tests/runs/services/test_accept", "tests/runs/services/test_store",
    "tests/webhooks/test_record",
)  # fmt: skip
# Payload stores that `make test` leaves out: what they share is tested with the others.
STORES = ("s3", "memory")
# tests.both_databases sets it for the pass on SQLite that one on PostgreSQL follows.
FOLLOWED = "AUTOMATE_TESTS_FOLLOWED"


def home(item: pytest.Item) -> str:
    """The database on which `make test` has a test that uses one; empty for none."""
    callspec = getattr(item, "callspec", None)
    if callspec and callspec.params.get("store") in STORES:
        return ""
    return "postgresql" if item.nodeid.startswith(ENGINE) else "sqlite"


def is_for_later(item: pytest.Item) -> bool:
    """Whether `make test` leaves this test to `make test-slow` on this database.

    It has the engine on PostgreSQL, where there is one, and all else on SQLite;
    `make test-slow` makes up for the rest.
    """
    if not uses_database(item):
        return False
    if settings.SQLITE:
        return bool(os.environ.get(FOLLOWED)) and home(item) != "sqlite"
    return home(item) != "postgresql"


def is_for_once(item: pytest.Item) -> bool:
    """Whether the pass on PostgreSQL that follows is enough for this test."""
    marked = any(item.get_closest_marker(name) for name in ("once", "browser"))
    return marked and uses_database(item)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The pass of `make test` on PostgreSQL does not even import what it leaves out."""
    narrow = (
        config.getoption("--only-database") and "not later" in config.option.markexpr
    )
    if settings.SQLITE or not narrow or not collection_path.match("test_*.py"):
        return None
    name = collection_path.relative_to(config.rootpath).as_posix()
    wanted = name.startswith(ENGINE) or "mark.postgresql" in collection_path.read_text()
    return None if wanted else True


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is for later."""
    special = any(
        item.get_closest_marker(name) for name in ("slow", "sqlite", "postgresql")
    )
    if not special and is_for_later(item):
        item.add_marker(pytest.mark.later)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what cannot tell us more on this database."""
    wrong = "postgresql" if settings.SQLITE else "sqlite"
    dropped = [item for item in items if item.get_closest_marker(wrong)]
    if settings.SQLITE and os.environ.get(FOLLOWED):
        dropped += [item for item in items if is_for_once(item) and item not in dropped]
    if config.getoption("--only-database"):
        dropped += [
            item for item in items if item not in dropped and not uses_database(item)
        ]
    if dropped:
        gone = set(map(id, dropped))
        items[:] = [item for item in items if id(item) not in gone]
        config.hook.pytest_deselected(items=dropped)


def uses_database(item: pytest.Item) -> bool:
    """True for a test that asks pytest-django for a database."""
    fixtures = set(getattr(item, "fixturenames", ()))
    marked = item.get_closest_marker("django_db") is not None
    return marked or not DATABASE_FIXTURES.isdisjoint(fixtures)


def pytest_report_header() -> str:
    """The database, first thing in the output."""
    return f"database: {settings.DATABASES['default']['ENGINE'].rpartition('.')[2]}"


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """Tests with transactions of their own end sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """pytest-django's, and at the end no session that would keep the database.

    The threads that send wake-ups and hear answers have connections for as long as
    their process lives, and make new ones; so new ones are refused first.
    """
    yield
    if not settings.SQLITE and not request.config.getoption("reuse_db"):
        connection.close()
        name = connection.settings_dict["NAME"]
        quoted = connection.ops.quote_name(name)
        with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {quoted} ALLOW_CONNECTIONS false")
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = %s",
                [name],
            )


@pytest.fixture
def is_sqlite() -> bool:
    """For the few rules that differ by database."""
    return bool(settings.SQLITE)
