"""System checks: each bad combination of settings is told, with a hint."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import DatabaseError
from pytest_django import Settings

from automate import checks
from tests.makers import make_run

Messages = list[Any]


def ours(**options: Any) -> dict[str | None, Any]:
    found = run_checks(tags=["automate"], **options)
    return {message.id: message for message in found}


def networks(*items: str) -> list[Any]:
    return [ipaddress.ip_network(item) for item in items]


def test_the_defaults_are_fine() -> None:
    assert ours() == {}


@pytest.mark.parametrize(
    ("values", "number"),
    [
        ({"LEASE": 9.0, "HEARTBEAT": 5.0}, "E001"),
        ({"HEARTBEAT": 0.0}, "E001"),
        ({"GRACE": -1.0}, "E002"),
        ({"GRACE": 3.0}, "W002"),
        ({"THREADS": 0}, "E003"),
        ({"WEB_PROCESSES": 0}, "E003"),
        ({"POLL": -0.5}, "E003"),
        ({"SQLITE": True, "WORKERS": 8}, "W003"),
        ({"DRAIN_MEMORY": 32}, "W004"),
        ({"PUBLIC_URL": "automate.example.com"}, "E005"),
        ({"PUBLIC_URL": "ftp://automate.example.com"}, "E005"),
        ({"PUBLIC_URL": "https://automate.example.com", "DEBUG": True}, "E006"),
        ({"RETENTION_DAYS": 0}, "E007"),
        ({"MAX_BODY": 0}, "E008"),
        ({"MAX_BODY": 2**30}, "E008"),
        ({"MAX_RESPONSE": 0}, "E008"),
        ({"ALLOWED_NETWORKS": networks("169.254.169.254/32")}, "W009"),
        ({"ALLOWED_NETWORKS": networks("::1/128", "fd00:ec2::254/128")}, "W009"),
        ({"OIDC_ISSUER": "http://login.example.com", "OIDC_CLIENT_ID": "x"}, "E015"),
        ({"OIDC_ISSUER": "login.example.com", "OIDC_CLIENT_ID": "x"}, "E015"),
        ({"OIDC_ISSUER": "https://login.example.com"}, "E016"),
    ],
)
def test_a_bad_combination_is_told_with_a_hint(
    settings: Settings, values: dict[str, Any], number: str
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)

    found = ours()

    assert set(found) == {f"automate.{number}"}
    assert found[f"automate.{number}"].hint
    assert found[f"automate.{number}"].is_serious() is number.startswith("E")


@pytest.mark.parametrize(
    "values",
    [
        {"LEASE": 10.0, "HEARTBEAT": 5.0},
        {"SQLITE": False, "WORKERS": 16},
        {"PUBLIC_URL": "https://automate.example.com", "DEBUG": False},
        {"PUBLIC_URL": "http://127.0.0.1:8000", "DEBUG": True},
        {"ALLOWED_NETWORKS": networks("127.0.0.0/8", "fd00::/8")},
    ],
)
def test_a_good_combination_is_not(settings: Settings, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)

    assert ours() == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_in_service_others_must_be_able_to_reach_the_site(
    settings: Settings, host: str
) -> None:
    settings.PUBLIC_URL = f"http://{host}:8000"

    assert "automate.W010" in ours(include_deployment_checks=True)
    assert "automate.W010" not in ours()


def test_in_service_mail_must_go_somewhere(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://automate.example.com"
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert set(ours(include_deployment_checks=True)) == {"automate.W011"}

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert ours(include_deployment_checks=True) == {}


@pytest.mark.django_db
def test_a_missing_key_is_told_and_stops_no_migration(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["lost"]
    make_run(payload={"a": 1})
    settings.FIELD_ENCRYPTION_KEYS = ["new"]

    found = checks.keys(databases=["default"])

    assert {message.id for message in found} == {"automate.W020"}
    assert any("runs.Run.body" in message.msg for message in found)
    assert not any(message.is_serious() for message in found)
    call_command("check", databases=["default"], stderr=_Sink())


@pytest.mark.django_db
def test_readable_keys_are_not_told(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["old"]
    make_run(payload={"a": 1})
    settings.FIELD_ENCRYPTION_KEYS = ["new", "old"]

    assert checks.keys(databases=["default"]) == []


def test_keys_are_not_looked_at_without_a_database() -> None:
    # No django_db mark: a query would be refused.
    assert checks.keys() == []
    assert checks.keys(databases=[]) == []


def test_an_unmigrated_database_is_not_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> dict[str, set[str]]:
        raise DatabaseError("no such table")

    monkeypatch.setattr(checks, "unreadable_by_column", fail)

    assert checks.keys(databases=["default"]) == []


class _Sink:
    """Takes what a command writes."""

    def write(self, text: str) -> None:
        """Nowhere."""
