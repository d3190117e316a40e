"""The probes: /livez, /readyz and /health."""

from __future__ import annotations

import logging

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from automate import health

READY = ("/readyz", "/health")


def test_livez_answers_without_the_database(client: Client) -> None:
    # No django_db mark: pytest-django refuses any query here.
    response = client.get("/livez")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", READY)
def test_a_migrated_database_is_ready_at_the_price_of_one_query(
    client: Client, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        response = client.get(path)

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", READY)
def test_a_missing_migration_is_503_and_only_the_log_says_which(
    client: Client, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = max(name for app, name in health._last_migrations() if app == "runs")
    MigrationRecorder(connection).record_unapplied("runs", name)

    with caplog.at_level(logging.WARNING, "automate.health"):
        response = client.get(path)

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable"}
    assert int(response["Retry-After"]) > 0
    assert f"runs.{name}" in caplog.text


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_503(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> list[str]:
        raise OperationalError("connection refused: db.internal")

    monkeypatch.setattr(health, "missing_migrations", fail)
    with caplog.at_level(logging.WARNING, "automate.health"):
        response = client.get("/readyz")

    assert response.status_code == 503
    assert b"db.internal" not in response.content
    assert "db.internal" in caplog.text


@pytest.mark.parametrize("path", ["/livez", *READY])
def test_probes_are_read_only(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
    # Also to who has no token against forgery, as programs have none.
    assert Client(enforce_csrf_checks=True).post(path).status_code == 405


def test_the_front_door_leads_to_the_admin(client: Client) -> None:
    response = client.get("/")

    assert response.status_code == 302
    assert response["Location"] == "/admin/"


@pytest.mark.django_db
def test_the_admin_asks_who_is_there(client: Client) -> None:
    assert client.get("/", follow=True).redirect_chain[-1] == (
        "/admin/login/?next=/admin/",
        302,
    )
