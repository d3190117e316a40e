"""Registering: off unless the site permits it, and then nobody else's business."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from automate.accounts.models import AuditEntry, Team, User
from automate.accounts.roles import DEVELOPER
from tests.automate.accounts.api.asking import TOKEN, me, member, post
from tests.makers import make_workflow

pytestmark = pytest.mark.django_db
REGISTER = "/api/v1/auth/register"
PASSWORD = "correct horse battery"


@pytest.fixture
def on(settings: Settings) -> None:
    settings.REGISTRATION = True


def register(
    email: str = "new@example.com", password: str = PASSWORD, **more: Any
) -> Any:
    extra = {"REMOTE_ADDR": more.pop("there")} if "there" in more else {}
    return post(REGISTER, {"email": email, "password": password, **more}, **extra)


def test_it_is_off_and_says_so_to_everybody_alike() -> None:
    member("old@example.com")
    answers = [register(), register("old@example.com"), post(REGISTER, {"x": 1})]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
    assert "Registration is off" in answers[0].json()["error"]["message"]
    assert User.objects.count() == 1


@pytest.mark.usefixtures("on")
def test_one_becomes_a_developer_in_a_team_of_ones_own() -> None:
    others = Team.objects.create(name="Others", slug="others")
    answer = register("New@Example.com", name="Nora")

    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"id", "email", "name", "role", "teams", "created_at"}
    assert (body["role"], body["name"]) == ("developer", "Nora")
    assert [team["name"] for team in body["teams"]] == ["Nora's team"]
    user = User.objects.get(pk=body["id"])
    assert not user.is_superuser
    assert user.is_staff, "as everybody whom the admin gives a role"
    assert not user.email_is_proven
    assert list(user.groups.all()) == [Group.objects.get(name=DEVELOPER)]
    assert user.teams.get() != others
    assert user.teams.get().members.count() == 1
    assert AuditEntry.objects.get(action="user.register").user == user

    signed_in = post(TOKEN, {"email": "new@example.com", "password": PASSWORD})
    access = signed_in.json()["access_token"]
    assert me(access).json() == body
    theirs = make_workflow(team=others)
    where = f"/api/v1/workflows/{theirs.slug}/execute"
    headers = {"Authorization": f"Bearer {access}"}
    assert post(where, {}, headers=headers).status_code == 404


@pytest.mark.usefixtures("on")
def test_an_address_has_one_account_whatever_its_case() -> None:
    user = member("old@example.com")
    answer = register("OLD@example.com")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "CONFLICT"
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert not user.groups.exists()
    assert not Team.objects.exists()


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "a\0@example.com"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "password"}, "password"),
        ({"password": "new@example.com"}, "password"),
        ({"name": "x" * 151}, "name"),
        ({"role": "admin"}, "role"),
        ({"is_superuser": True}, "is_superuser"),
        ({"teams": []}, "teams"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], field: str) -> None:
    body = {"email": "new@example.com", "password": PASSWORD, **changes}
    answer = post(REGISTER, body)
    assert answer.status_code == 400
    errors = answer.json()["error"]["details"]["errors"]
    assert {error["field"] for error in errors} == {field}
    assert not User.objects.exists()


@pytest.mark.usefixtures("on")
def test_one_address_registers_or_tries_ten_an_hour() -> None:
    member("old@example.com")
    for number in range(5):
        assert register(f"new{number}@example.com").status_code == 201
        assert register("old@example.com").status_code == 409
    answer = register("new9@example.com")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert register("new9@example.com", there="203.0.113.7").status_code == 201


@pytest.mark.usefixtures("on")
def test_a_form_is_not_taken() -> None:
    """Else any page could make its visitors register."""
    answer = Client().post(REGISTER, {"email": "a@example.com"})
    assert answer.status_code == 415


@pytest.mark.usefixtures("on")
def test_it_costs_few_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(18):
        assert register().status_code == 201
