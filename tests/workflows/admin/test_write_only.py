"""Secrets, connections and triggers: what goes in and never comes out."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from pytest_django import Settings

from automate.accounts.models import AuditEntry, Team
from automate.lib.encryption import Unreadable
from tests.admin_world import boss, flow, operator, signed_in
from workflows.admin.fields import HostsField, LinesField, StrictJSONField
from workflows.models import Connection, Secret, Trigger

pytestmark = pytest.mark.django_db
CANARY = "canary-9b1d"


def address(noun: str, page: str = "add", *args: Any) -> str:
    return reverse(f"admin:workflows_{noun}_{page}", args=args)


def secret_form(**fields: Any) -> dict[str, Any]:
    return {"name": "CRM_TOKEN", "new_value": "", "allowed_hosts": "", **fields}


def connection_form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "crm",
        "kind": "bearer",
        "base_url": "https://crm.example.com",
        "allowed_hosts": "",
        "new_name": "",
        "new_value": "",
        "status": "active",
        **fields,
    }


# --- secrets ---


def test_a_secret_goes_in_and_never_comes_out() -> None:
    client = signed_in(boss())
    data = secret_form(new_value=f" {CANARY} ", allowed_hosts="API.example.com\n\n")
    response = client.post(address("secret"), data, follow=True)
    secret = Secret.objects.get()
    assert secret.value == f" {CANARY} ", "spaces are part of it"
    assert secret.allowed_hosts == ["api.example.com"]
    page = client.get(address("secret", "change", secret.pk)).content.decode()
    for text in (response.content.decode(), page):
        assert CANARY not in text
    assert "is set; it is never shown" in page
    assert CANARY not in str(list(AuditEntry.objects.values_list("changes")))
    assert AuditEntry.objects.get(action="secret.create").changes["new_value"]


def test_an_empty_value_keeps_the_secret() -> None:
    secret = Secret.objects.create(name="CRM_TOKEN", value=CANARY)
    data = secret_form(allowed_hosts="*.example.com")
    signed_in(boss()).post(address("secret", "change", secret.pk), data)
    secret.refresh_from_db()
    assert (secret.value, secret.rotated_at) == (CANARY, None)
    assert secret.allowed_hosts == ["*.example.com"]


def test_a_new_value_is_a_rotation() -> None:
    secret = Secret.objects.create(name="CRM_TOKEN", value="old")
    data = secret_form(new_value=CANARY)
    signed_in(boss()).post(address("secret", "change", secret.pk), data)
    secret.refresh_from_db()
    assert secret.value == CANARY
    assert secret.rotated_at is not None


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "new_value"),
        ({"name": "1ST", "new_value": "x"}, "name"),
        ({"name": "A-B", "new_value": "x"}, "name"),
        ({"new_value": "x", "allowed_hosts": "https://a.example"}, "allowed_hosts"),
        ({"new_value": "x", "allowed_hosts": "a.example/path"}, "allowed_hosts"),
        ({"new_value": "x", "allowed_hosts": "*."}, "allowed_hosts"),
    ],
)
def test_a_secret_s_form_says_what_is_wrong(fields: dict[str, str], wrong: str) -> None:
    response = signed_in(boss()).post(address("secret"), secret_form(**fields))
    assert list(response.context["adminform"].form.errors) == [wrong]
    assert not Secret.objects.exists()


def test_a_value_that_cannot_be_read_says_so_and_survives_a_save(
    settings: Settings,
) -> None:
    secret = Secret.objects.create(name="CRM_TOKEN", value=CANARY)
    client = signed_in(boss())
    ring = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = ["quite another key"]
    page = client.get(address("secret", "change", secret.pk))
    assert "unreadable (key " in page.content.decode()
    client.post(address("secret", "change", secret.pk), secret_form(name="RENAMED"))
    secret.refresh_from_db()
    assert isinstance(secret.value, Unreadable)
    settings.FIELD_ENCRYPTION_KEYS = ring
    secret = Secret.objects.get(name="RENAMED")
    assert secret.value == CANARY


@pytest.mark.parametrize("noun", ["secret", "connection"])
def test_rows_of_other_teams_are_not_there(noun: str) -> None:
    mine = Team.objects.create(name="Mine", slug="mine")
    other = Team.objects.create(name="Other", slug="other")
    rows = {}
    for name, team in (("a", mine), ("b", other), ("c", None)):
        rows[name] = (
            Secret.objects.create(name=name, value="v", team=team)
            if noun == "secret"
            else Connection.objects.create(
                name=name,
                team=team,
                kind="bearer",
                base_url="https://x.example",
                credentials={},
            )
        )
    rights = (f"workflows.{verb}_{noun}" for verb in ("view", "change", "delete"))
    client = signed_in(operator(*rights, team=mine))
    shown = client.get(address(noun, "changelist"))
    assert {row.name for row in shown.context["cl"].result_list} == {"a", "c"}
    assert "Other" not in shown.content.decode()
    foreign = rows["b"].pk
    assert client.get(address(noun, "change", foreign)).status_code == 302
    client.post(address(noun, "delete", foreign), {"post": "yes"})
    assert type(rows["b"]).objects.filter(pk=foreign).exists()


def test_a_deleted_secret_is_in_the_audit() -> None:
    secret = Secret.objects.create(name="CRM_TOKEN", value=CANARY)
    page = address("secret", "delete", secret.pk)
    assert CANARY not in signed_in(boss()).get(page).content.decode()
    signed_in(boss()).post(page, {"post": "yes"})
    assert not Secret.objects.exists()
    entry = AuditEntry.objects.get(action="secret.delete")
    assert entry.object_name == "CRM_TOKEN"


# --- connections ---


@pytest.mark.parametrize(
    ("kind", "name", "stored"),
    [
        ("bearer", "", {"token": CANARY}),
        ("basic", "me", {"username": "me", "password": CANARY}),
        ("header", "X-Key", {"name": "X-Key", "value": CANARY}),
    ],
)
def test_a_connection_stores_what_its_kind_needs(
    kind: str, name: str, stored: dict[str, str]
) -> None:
    client = signed_in(boss())
    data = connection_form(kind=kind, new_name=name, new_value=CANARY)
    text = client.post(address("connection"), data, follow=True).content.decode()
    connection = Connection.objects.get()
    assert connection.credentials == stored
    page = client.get(address("connection", "change", connection.pk)).content.decode()
    assert CANARY not in text + page
    assert CANARY not in str(list(AuditEntry.objects.values_list("changes")))

    client.post(
        address("connection", "change", connection.pk),
        connection_form(kind=kind, base_url="https://crm.example.com/v2"),
    )
    connection.refresh_from_db()
    assert connection.base_url == "https://crm.example.com/v2"
    assert connection.credentials == stored


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "new_value"),
        ({"kind": "basic", "new_value": "x"}, "new_name"),
        ({"kind": "header", "new_value": "x"}, "new_name"),
        ({"new_value": "x", "base_url": ""}, "base_url"),
        ({"new_value": "x", "base_url": "javascript:1"}, "base_url"),
        ({"new_value": "x", "kind": "carrier_pigeon"}, "kind"),
    ],
)
def test_a_connection_s_form_says_what_is_wrong(
    fields: dict[str, str], wrong: str
) -> None:
    response = signed_in(boss()).post(address("connection"), connection_form(**fields))
    assert wrong in response.context["adminform"].form.errors
    assert not Connection.objects.exists()


def test_another_kind_needs_new_credentials() -> None:
    connection = Connection.objects.create(
        name="crm",
        kind="bearer",
        base_url="https://crm.example.com",
        credentials={"token": CANARY},
    )
    page = address("connection", "change", connection.pk)
    response = signed_in(boss()).post(page, connection_form(kind="basic"))
    assert "new_value" in response.context["adminform"].form.errors
    connection.refresh_from_db()
    assert connection.kind == "bearer"


# --- triggers on their own page -----------------------------------------------------


def test_a_trigger_s_own_page_changes_it_and_the_draft() -> None:
    workflow = flow()
    trigger = workflow.triggers.get()
    data = {
        "kind": "webhook",
        "is_active": "on",
        "scheme": "hmac",
        "path": "orders/new",
        "events": "",
        "new_secret": CANARY,
        "more": '{"hmac": {"header": "X-Sig"}}',
    }
    client = signed_in(boss())
    page = address("trigger", "change", trigger.pk)
    response = client.post(page, data, follow=True)
    assert CANARY not in response.content.decode()
    trigger.refresh_from_db()
    assert (trigger.path, trigger.secret) == ("orders/new", CANARY)
    assert trigger.config["hmac"]["header"] == "X-Sig"
    workflow.refresh_from_db()
    entry = workflow.definition["triggers"][0]
    assert entry["config"]["path"] == "orders/new"
    assert CANARY not in str(workflow.definition)


def test_triggers_are_switched_off_and_stay_off() -> None:
    workflow = flow()
    data = {"_selected_action": [workflow.triggers.get().pk], "action": "switch_off"}
    client = signed_in(boss())
    client.post(address("trigger", "changelist"), data)
    assert not workflow.triggers.get().is_active
    workflow.refresh_from_db()
    assert workflow.definition["triggers"][0]["is_active"] is False
    client.post(address("trigger", "changelist"), {**data, "action": "switch_on"})
    assert workflow.triggers.get().is_active


def test_a_viewer_switches_nothing() -> None:
    workflow = flow()
    data = {"_selected_action": [workflow.triggers.get().pk], "action": "switch_off"}
    viewer = signed_in(operator("workflows.view_trigger"))
    viewer.post(address("trigger", "changelist"), data)
    assert workflow.triggers.get().is_active


def test_a_trigger_is_neither_made_nor_deleted_away_from_its_workflow() -> None:
    trigger = flow().triggers.get()
    client = signed_in(boss())
    assert client.post(address("trigger")).status_code == 403
    page = address("trigger", "delete", trigger.pk)
    assert client.post(page, {"post": "yes"}).status_code == 403
    assert Trigger.objects.exists()


# --- fields ---


def test_lines_are_a_list_without_blanks_and_repetition() -> None:
    field = LinesField(required=False)
    assert field.clean("a\r\n\n b \na") == ["a", "b"]
    assert field.clean("") == []
    assert field.prepare_value(["a", "b"]) == "a\nb"
    assert not field.has_changed(["a"], " a \n")
    assert field.has_changed(["a"], "b")


def test_hosts_are_lower_case_names() -> None:
    assert HostsField().clean("API.Example.com\n*.x.org") == [
        "api.example.com",
        "*.x.org",
    ]


def test_json_is_the_same_however_it_is_laid_out() -> None:
    field = StrictJSONField(required=False)
    assert field.clean('{"b": 1}') == {"b": 1}
    assert field.clean("") is None
    assert not field.has_changed({"b": 1}, '{\n  "b" : 1 }')
    assert field.has_changed({"b": 1}, '{"b": 2}')
    assert field.has_changed({"b": 1}, "{")
    assert field.prepare_value({"ä": 1}) == '{\n  "ä": 1\n}'
    assert field.prepare_value("{ typed") == "{ typed"
