"""manage.py create_api_key."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from automate.accounts.models import ApiKey, AuditEntry
from tests.makers import make_user

pytestmark = pytest.mark.django_db


def create(*arguments: Any) -> str:
    out = StringIO()
    call_command("create_api_key", *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_the_key_alone_and_the_key_works(client: Client) -> None:
    make_user("ada@example.com")

    out = create("Ada@Example.com", "--name", "ci", "--scope", "runs:read")

    assert out == out.strip() + "\n"
    assert " " not in out
    headers = {"authorization": f"Bearer {out.strip()}"}
    assert client.get("/api/v1/runs", headers=headers).status_code == 200


def test_scopes_may_follow_one_another_or_be_repeated() -> None:
    make_user("ada@example.com")

    create(
        "ada@example.com", "--name", "ci", "--scope", "runs:read", "runs:redrive",
        "--scope", "payloads:read", "--scope", "runs:read",
    )  # fmt: skip

    assert ApiKey.objects.get().scopes == ["runs:read", "runs:redrive", "payloads:read"]


def test_programs_get_json() -> None:
    make_user("ada@example.com")

    out = create(
        "ada@example.com", "--name", "ci", "--scope", "admin", "--expires-days", "7",
        "--rate-limit", "100/m", "--json",
    )  # fmt: skip

    report = json.loads(out)
    key = ApiKey.objects.get()
    assert report["id"] == str(key.pk)
    assert report["key"].startswith(report["prefix"])
    assert report["scopes"] == ["admin"]
    assert report["rate_limit"] == key.rate_limit == "100/m"
    assert key.expires_at is not None
    week = timezone.now() + timedelta(days=7)
    assert abs(key.expires_at - week) < timedelta(minutes=1)


def test_the_audit_knows_of_it_without_the_key() -> None:
    make_user("ada@example.com")

    plain = create("ada@example.com", "--name", "ci", "--scope", "admin").strip()

    entry = AuditEntry.objects.get()
    assert entry.action == "api_key.create"
    assert plain not in json.dumps(entry.changes) + entry.object_name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody@example.com"], "create_person nobody@example.com --role Developer"),
        (["gone@example.com"], "not active"),
        (["ada@example.com", "--scope", "everything"], "Unknown scope everything"),
        (["ada@example.com", "--expires-days", "0"], "--expires-days"),
        (["ada@example.com", "--expires-days", "99999999"], "--expires-days"),
        (["ada@example.com", "--rate-limit", "often"], "not a rate"),
        (["ada@example.com", "--name", " "], "--name"),
        (["ada@example.com", "--name", "x" * 101], "--name"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_made(
    arguments: list[str], message: str
) -> None:
    make_user("ada@example.com")
    make_user("gone@example.com", is_active=False)
    defaults = ["--name", "ci", "--scope", "runs:read"]

    with pytest.raises(CommandError, match=message):
        create(arguments[0], *defaults, *arguments[1:])
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("missing", ["--name", "--scope"])
def test_a_name_and_a_scope_are_demanded(missing: str) -> None:
    arguments = {"--name": "ci", "--scope": "runs:read"}
    del arguments[missing]

    with pytest.raises(CommandError, match=missing):
        create("a@b.example", *(part for pair in arguments.items() for part in pair))
