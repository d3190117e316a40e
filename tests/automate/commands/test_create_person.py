"""manage.py create_person."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client

from automate.accounts.models import AuditEntry, Team, User
from automate.lib import jsonio
from tests.makers import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
ANN = "ann@example.com"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def create(*arguments: Any, given: str = f"{PASSWORD}\n", **options: Any) -> str:
    out = StringIO()
    options = {"stdin": StringIO(given), **options}
    call_command("create_person", *arguments, stdout=out, **options)
    return out.getvalue()


def test_a_person_with_a_role_and_teams_may_sign_in(client: Client) -> None:
    for slug in ("shop", "stock"):
        Team.objects.create(name=slug.title(), slug=slug)

    out = create(
        ANN, "--role", "Developer", "--team", "shop", "--team", "stock",
        "--name", "Ann",
    )  # fmt: skip

    assert out == (
        f"{ANN} signs in at http://127.0.0.1:8000/admin/ as Developer of shop, stock.\n"
    )
    person = User.objects.get()
    assert (person.name, person.role, person.is_superuser) == (
        "Ann",
        "developer",
        False,
    )
    assert {team.slug for team in person.teams.all()} == {"shop", "stock"}
    signed_in = {"username": ANN, "password": PASSWORD, "next": "/admin/"}
    assert client.post("/admin/login/", signed_in).status_code == 302
    assert client.get("/admin/").status_code == 200
    told = client.post(
        "/api/v1/auth/token",
        jsonio.dumps({"email": ANN, "password": PASSWORD}),
        content_type="application/json",
    )
    assert told.status_code == 200


def test_it_is_in_the_audit_without_the_password() -> None:
    Team.objects.create(name="Shop", slug="shop")
    out = create(ANN, "--role", "Operator", "--team", "shop")

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.user, entry.object_name) == ("user.create", None, ANN)
    assert entry.changes == {"role": "Operator", "teams": ["shop"]}
    assert PASSWORD not in out + str(entry.changes)


@pytest.mark.parametrize(
    ("given", "role"),
    [
        ("administrator", "Administrator"), ("admin", "Administrator"),
        ("DEVELOPER", "Developer"), ("operator", "Operator"), ("viewer", "Viewer"),
        ("user", "Viewer"),
    ],
)  # fmt: skip
def test_roles_go_by_the_names_of_the_admin_and_of_the_api(
    given: str, role: str
) -> None:
    create(ANN, "--role", given)
    assert [group.name for group in User.objects.get().groups.all()] == [role]


def test_without_a_password_nobody_signs_in_with_one() -> None:
    create(ANN, "--role", "Viewer", "--no-password", given="")
    assert not User.objects.get().has_usable_password()


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (
            [ANN, "--role", "boss"],
            PASSWORD,
            "There is no role boss. Known are Administrator, Developer, Operator, "
            "Viewer.",
        ),
        (
            [ANN, "--role", "Viewer", "--team", "shopp"],
            PASSWORD,
            "There is no team shopp. Known are shop.",
        ),
        (["nobody", "--role", "Viewer"], PASSWORD, "email: Enter a valid email"),
        (
            ["BEN@example.com", "--role", "Viewer"],
            PASSWORD,
            "Somebody signs in as BEN@example.com already.",
        ),
        ([ANN, "--role", "Viewer"], "12345678", "This password is too common."),
        ([ANN, "--role", "Viewer"], "", "standard input, or --no-password"),
        ([ANN, "--role", "Viewer"], "\nsecond line", "standard input"),
        ([ANN], PASSWORD, "--role"),
    ],
)
def test_what_is_wrong_is_told_and_nobody_is_made(
    arguments: list[str], given: str, said: str
) -> None:
    make_user("ben@example.com")
    Team.objects.create(name="Shop", slug="shop")

    with pytest.raises(CommandError) as refused:
        create(*arguments, given=given)

    assert said in str(refused.value)
    assert User.objects.count() == 1
    assert not AuditEntry.objects.exists()


def test_a_role_that_was_deleted_is_told() -> None:
    Group.objects.filter(name="Viewer").delete()
    with pytest.raises(CommandError, match="The role Viewer was deleted"):
        create(ANN, "--role", "Viewer")


@pytest.mark.parametrize(
    ("typed", "made"), [([PASSWORD, PASSWORD], 1), ([PASSWORD, "another"], 0)]
)
def test_at_a_terminal_it_is_typed_twice_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], made: int
) -> None:
    answers = iter(typed)
    monkeypatch.setattr(
        "automate.management.commands.create_person.getpass",
        lambda _prompt: next(answers),
    )
    if made:
        create(ANN, "--role", "Viewer", stdin=Terminal())
        assert User.objects.get().check_password(PASSWORD)
    else:
        with pytest.raises(CommandError, match="two passwords"):
            create(ANN, "--role", "Viewer", stdin=Terminal())
    assert User.objects.count() == made
