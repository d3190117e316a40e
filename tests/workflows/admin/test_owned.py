"""Who changes secrets and connections, and how stored values stay where they are."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from automate.accounts.models import Team
from tests.admin_world import boss, operator, signed_in
from tests.workflows.admin.test_write_only import (
    CANARY,
    address,
    connection_form,
    secret_form,
)
from workflows.models import Connection, Secret
from workflows.services.owned import added_hosts, origin_changed

pytestmark = pytest.mark.django_db
NOUNS = ("secret", "connection")
VERBS = ("view", "add", "change", "delete")


@pytest.fixture
def team() -> Team:
    return Team.objects.create(name="Mine", slug="mine")


@pytest.fixture
def member(team: Team) -> Client:
    """Somebody of the team with every permission on both."""
    rights = [f"workflows.{verb}_{noun}" for verb in VERBS for noun in NOUNS]
    return signed_in(operator(*rights, team=team))


def stored(noun: str, team: Team | None = None, **fields: Any) -> Any:
    if noun == "secret":
        fields = {"allowed_hosts": ["crm.example.com"], **fields}
        return Secret.objects.create(
            name="CRM_TOKEN", value=CANARY, team=team, **fields
        )
    return Connection.objects.create(
        **{
            "name": "crm",
            "kind": "bearer",
            "base_url": "https://crm.example.com",
            "credentials": {"token": CANARY},
            "team": team,
            **fields,
        }
    )


def save(client: Client, row: Any, **fields: Any) -> dict[str, list[str]]:
    """The form's errors after a save; none when it went through."""
    form = secret_form if isinstance(row, Secret) else connection_form
    data = form(**{"team": row.team_id or "", **fields})
    response = client.post(address(row._meta.model_name, "change", row.pk), data)
    row.refresh_from_db()
    if response.status_code == 302:
        return {}
    return dict(response.context["adminform"].form.errors)


# --- where a stored value may go ---


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["crm.example.com"], "evil.example"),
        (["crm.example.com"], "crm.example.com\nevil.example"),
        (["crm.example.com"], "*.example.com"),
        (["*.example.com"], "example.com"),
        (["crm.example.com"], ""),
    ],
)
def test_a_secret_is_given_again_before_it_may_go_further(
    before: list[str], after: str, team: Team, member: Client
) -> None:
    row = stored("secret", team, allowed_hosts=before)

    errors = save(member, row, allowed_hosts=after)

    assert list(errors) == ["new_value"]
    assert "Give it again: it would go to" in errors["new_value"][0]
    assert row.allowed_hosts == before
    assert save(member, row, allowed_hosts=after, new_value="another") == {}
    assert row.value == "another"
    assert row.allowed_hosts == after.split()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], "crm.example.com"),
        ([], ""),
        (["a.example.com", "b.example.com"], "b.example.com"),
        (["*.example.com"], "crm.example.com"),
        (["*.example.com"], "*.eu.example.com"),
    ],
)
def test_a_secret_is_kept_when_it_may_go_no_further(
    before: list[str], after: str, team: Team, member: Client
) -> None:
    row = stored("secret", team, allowed_hosts=before)

    assert save(member, row, allowed_hosts=after) == {}
    assert row.value == CANARY
    assert row.allowed_hosts == after.split()


@pytest.mark.parametrize(
    "fields",
    [
        {"base_url": "https://evil.example"},
        {"base_url": "https://crm.example.com.evil.example"},
        {"base_url": "http://crm.example.com"},
        {"allowed_hosts": "evil.example"},
        {"allowed_hosts": "*.example.com"},
        {"base_url": "", "allowed_hosts": "evil.example"},
    ],
)
def test_credentials_are_given_again_before_they_may_go_elsewhere(
    fields: dict[str, str], team: Team, member: Client
) -> None:
    row = stored("connection", team)

    errors = save(member, row, **fields)

    assert list(errors) == ["new_value"]
    assert row.base_url == "https://crm.example.com"
    assert row.allowed_hosts == []
    assert save(member, row, **fields, new_value="another") == {}
    assert row.credentials == {"token": "another"}


def test_another_base_url_needs_the_value_also_within_the_allowed_hosts(
    team: Team, member: Client
) -> None:
    hosts = ["crm.example.com", "b.example.com"]
    row = stored("connection", team, allowed_hosts=hosts)
    moved = {"base_url": "https://b.example.com", "allowed_hosts": "\n".join(hosts)}

    assert list(save(member, row, **moved)) == ["new_value"]


@pytest.mark.parametrize(
    ("before", "fields"),
    [
        ({}, {"base_url": "https://CRM.example.com/v2"}),
        ({}, {"allowed_hosts": "crm.example.com"}),
        ({}, {"name": "crm2", "status": "inactive"}),
        ({"base_url": "http://crm.example.com"}, {}),
        (
            {"base_url": "", "allowed_hosts": ["crm.example.com"]},
            {"allowed_hosts": "crm.example.com"},
        ),
    ],
)
def test_credentials_are_kept_when_they_go_where_they_went(
    before: dict[str, Any], fields: dict[str, str], team: Team, member: Client
) -> None:
    row = stored("connection", team, **before)

    assert save(member, row, **fields) == {}
    assert row.credentials == {"token": CANARY}


def test_superusers_give_it_again_too(team: Team) -> None:
    row = stored("secret", team)
    errors = save(signed_in(boss()), row, allowed_hosts="evil.example")
    assert list(errors) == ["new_value"]


def test_hosts_that_were_added() -> None:
    assert added_hosts([], ["a.test"]) == []
    assert added_hosts(["a.test"], []) == ["any host"]
    assert added_hosts(["*.a.test"], ["x.a.test", "b.test", "a.test"]) == [
        "a.test",
        "b.test",
    ]


def test_an_origin_is_a_host_and_whether_it_is_private() -> None:
    assert not origin_changed("https://a.test/x", "https://A.test/y?z")
    assert not origin_changed("http://a.test", "https://a.test")
    assert origin_changed("https://a.test", "http://a.test")
    assert origin_changed("https://a.test", "https://a.test@b.test/")
    assert origin_changed("https://a.test", "https://[")


# --- shared ones ---


@pytest.mark.parametrize("noun", NOUNS)
def test_a_shared_one_is_seen_and_not_changed_by_others(
    noun: str, member: Client
) -> None:
    row = stored(noun)
    page = address(noun, "change", row.pk)

    shown = member.get(page)
    form = secret_form if noun == "secret" else connection_form
    refused = member.post(page, form(name="mine", new_value="mine"))

    assert shown.status_code == 200
    assert 'name="new_value"' not in shown.content.decode()
    assert 'name="_save"' not in shown.content.decode()
    assert refused.status_code == 403
    row.refresh_from_db()
    assert row.name != "mine"
    assert CANARY in str(row.value if noun == "secret" else row.credentials)


@pytest.mark.parametrize("noun", NOUNS)
def test_a_shared_one_is_not_deleted_by_others(noun: str, member: Client) -> None:
    row = stored(noun)
    chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}

    alone = member.post(address(noun, "delete", row.pk), {"post": "yes"})
    listed = member.post(address(noun, "changelist"), chosen)

    assert alone.status_code == listed.status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("noun", NOUNS)
def test_others_share_nothing_with_every_team(
    noun: str, team: Team, member: Client
) -> None:
    form = secret_form if noun == "secret" else connection_form
    response = member.post(address(noun), form(new_value="x", team=""))
    assert list(response.context["adminform"].form.errors) == ["team"]

    row = stored(noun, team)
    hosts = "crm.example.com"
    assert list(save(member, row, team="", allowed_hosts=hosts)) == ["team"]
    assert row.team_id == team.pk


@pytest.mark.parametrize("noun", NOUNS)
def test_superusers_change_and_delete_shared_ones(noun: str) -> None:
    row = stored(noun)
    client = signed_in(boss())
    hosts = "crm.example.com"

    assert save(client, row, name="renamed", allowed_hosts=hosts) == {}
    assert row.name == "renamed"
    client.post(address(noun, "delete", row.pk), {"post": "yes"})
    assert not type(row).objects.exists()


@pytest.mark.parametrize("noun", NOUNS)
def test_a_member_changes_and_deletes_the_teams_own(
    noun: str, team: Team, member: Client
) -> None:
    row = stored(noun, team)
    hosts = "crm.example.com"

    assert save(member, row, name="renamed", allowed_hosts=hosts) == {}
    assert row.name == "renamed"
    member.post(address(noun, "delete", row.pk), {"post": "yes"})
    assert not type(row).objects.exists()
