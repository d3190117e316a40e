"""A site of its own for each test: its own folder, database and port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

from automate import env


@pytest.fixture
def own_database() -> Iterator[str | None]:
    """The URL of an empty database on the server under test; None: SQLite."""
    with empty_database() as url:
        yield url


@pytest.fixture(scope="module")
def module_database() -> Iterator[str | None]:
    """The same for all tests of a module."""
    with empty_database() as url:
        yield url


@contextmanager
def empty_database() -> Iterator[str | None]:
    """One that is gone afterwards."""
    if settings.SQLITE:
        yield None
        return
    name = f"automate_{uuid4().hex[:12]}"
    parameters = connection.get_connection_params()
    server = {
        key: parameters[key]
        for key in ("host", "port", "user", "password")
        if key in parameters
    }
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield f"{env.database_url().rpartition('/')[0]}/{name}"
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            admin.execute(drop.format(sql.Identifier(name)))
