"""Who a key or a token speaks for."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils.dateparse import parse_datetime

from automate.accounts.models import Team
from automate.accounts.roles import ADMINISTRATOR, DEVELOPER, OPERATOR, VIEWER
from tests.automate.accounts.api.asking import ME, bearer, member
from tests.makers import make_key

pytestmark = pytest.mark.django_db


def test_a_person_is_shown_with_role_and_teams() -> None:
    user = member("ann@example.com", name="Ann")
    user.groups.add(Group.objects.get(name=DEVELOPER))
    teams = [Team.objects.create(name=name, slug=name) for name in ("two", "one")]
    user.teams.set(teams)
    Team.objects.create(name="other", slug="other")
    found = Client().get(ME, headers=bearer(user)).json()

    assert set(found) == {"id", "email", "name", "role", "teams", "created_at"}
    assert (found["id"], found["email"]) == (str(user.pk), "ann@example.com")
    assert (found["name"], found["role"]) == ("Ann", "developer")
    assert [team["slug"] for team in found["teams"]] == ["one", "two"]
    assert found["teams"][1]["id"] == str(teams[0].pk)
    assert parse_datetime(found["created_at"]) == user.date_joined


@pytest.mark.parametrize(
    ("group", "role"),
    [
        (ADMINISTRATOR, "admin"),
        (DEVELOPER, "developer"),
        (OPERATOR, "operator"),
        (VIEWER, "user"),
        ("", "user"),
    ],
)
def test_the_role_has_the_name_that_programs_use(group: str, role: str) -> None:
    user = member()
    user.groups.set(Group.objects.filter(name=group))
    assert Client().get(ME, headers=bearer(user)).json()["role"] == role


def test_a_key_is_asked_for_no_scope_here() -> None:
    user = member()
    headers = {"X-Api-Key": make_key(user, "metrics:read")}
    assert Client().get(ME, headers=headers).json()["id"] == str(user.pk)


def test_strangers_are_nobody() -> None:
    assert Client().get(ME).status_code == 401
    assert Client().get(f"{ME}?x=1", headers=bearer(member())).status_code == 400
