"""Administrators of a team: whom and what they see, change and may give."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from automate.accounts import audit
from automate.accounts.models import ApiKey, AuditEntry, Team, User
from automate.accounts.roles import ADMINISTRATOR, DEVELOPER, OPERATOR, ROLES, VIEWER
from tests.admin_world import boss, flow, signed_in
from tests.makers import make_user
from workflows.models import Secret

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def team(name: str) -> Team:
    return Team.objects.get_or_create(name=name, slug=name.lower())[0]


def person(role: str, *teams: str, **fields: Any) -> User:
    user = make_user(is_staff=True, **fields)
    user.groups.add(Group.objects.get(name=role))
    user.teams.set([team(name) for name in teams])
    return user


def page(noun: str, name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:accounts_{noun}_{name}", args=args)


def listed(user: User, noun: str) -> set[Any]:
    return set(signed_in(user).get(page(noun)).context["cl"].result_list)


def form(user: User, **fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "email": user.email,
        "name": user.name,
        "is_active": "on",
        "is_staff": "on",
        "role": "",
        "teams": [one.pk for one in user.teams.all()],
    }
    return {**given, **fields}


def test_people_and_teams_are_seen_by_those_who_share_a_team() -> None:
    chief = person(ADMINISTRATOR, "Sales")
    mate = person(VIEWER, "Sales", "Legal")
    nobody = person(VIEWER)
    other = person(ADMINISTRATOR, "Legal")
    assert listed(chief, "user") == {chief, mate, nobody}
    assert listed(other, "user") == {other, mate, nobody}
    assert listed(chief, "team") == {team("Sales")}
    text = signed_in(chief).get(page("user", "change", mate.pk)).content.decode()
    assert mate.email in text
    assert "Legal" not in text
    assert "Legal" not in signed_in(chief).get(page("user")).content.decode()


@pytest.mark.parametrize("whose", ["further team", "superuser", "more rights"])
def test_nobody_takes_over_who_sees_or_may_do_more(whose: str) -> None:
    chief = person(ADMINISTRATOR, "Sales")
    teams = ["Sales", "Legal"] if whose == "further team" else ["Sales"]
    other = person(VIEWER, *teams, is_superuser=whose == "superuser")
    if whose == "more rights":
        other.user_permissions.add(Permission.objects.get(codename="delete_workflow"))
    client = signed_in(chief)
    change = page("user", "change", other.pk)
    assert client.post(change, form(other, email="me@example.com")).status_code == 403
    password = reverse("admin:auth_user_password_change", args=(other.pk,))
    new = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(password, new).status_code == 403
    other.refresh_from_db()
    assert not other.check_password(PASSWORD)
    assert other.email != "me@example.com"


def test_an_administrator_adds_a_person_with_a_role_and_a_team() -> None:
    chief = person(ADMINISTRATOR, "Sales")
    legal = team("Legal")
    new = {
        "email": "new@example.com",
        "name": "New",
        "role": OPERATOR,
        "teams": [team("Sales").pk],
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    client = signed_in(chief)
    refused = client.post(page("user", "add"), {**new, "teams": [legal.pk]})
    assert "teams" in refused.context["adminform"].form.errors
    assert "Legal" not in refused.content.decode()
    assert client.post(page("user", "add"), new).status_code == 302
    user = User.objects.get(email="new@example.com")
    assert (user.is_staff, user.role) == (True, "operator")
    assert list(user.teams.all()) == [team("Sales")]
    entry = AuditEntry.objects.get(action="user.create")
    assert entry.changes["role"]["to"] == OPERATOR


def test_a_role_takes_the_place_of_the_one_before() -> None:
    own = Group.objects.create(name="Our own")
    user = person(VIEWER, "Sales")
    user.groups.add(own)
    for chief, role in ((boss(), DEVELOPER), (person(ADMINISTRATOR, "Sales"), VIEWER)):
        data = form(user, role=role, groups=[own.pk])
        response = signed_in(chief).post(page("user", "change", user.pk), data)
        assert response.status_code == 302
        assert {group.name for group in user.groups.all()} == {role, "Our own"}
    signed_in(boss()).post(page("user", "change", user.pk), form(user, role=""))
    assert not user.groups.exists()


def test_nobody_gives_a_role_that_may_do_more_than_they_may() -> None:
    helper = person(OPERATOR, "Sales")
    names = ("view_user", "change_user", "add_user")
    helper.user_permissions.set(Permission.objects.filter(codename__in=names))
    mate = person(VIEWER, "Sales")
    client = signed_in(helper)
    shown = client.get(page("user", "change", mate.pk)).content.decode()
    offered = [role for role in ROLES if f'value="{role}"' in shown]
    assert offered == [OPERATOR, VIEWER]
    data = form(mate, role=ADMINISTRATOR)
    refused = client.post(page("user", "change", mate.pk), data)
    assert "role" in refused.context["adminform"].form.errors
    assert mate.role == "user"


def test_who_makes_a_team_is_its_first_member() -> None:
    chief = person(ADMINISTRATOR)
    data = {"name": "Legal", "slug": "legal"}
    assert signed_in(chief).post(page("team", "add"), data).status_code == 302
    assert list(chief.teams.all()) == [Team.objects.get()]
    signed_in(boss()).post(page("team", "add"), {"name": "Sales", "slug": "sales"})
    assert not team("Sales").members.exists()


def test_the_audit_is_of_one_s_acts_and_of_one_s_teams_objects() -> None:
    chief, mate = person(ADMINISTRATOR, "Sales"), person(VIEWER, "Sales")
    other = person(VIEWER, "Legal")
    system = boss()
    Secret.objects.create(name="S", team=team("Sales"), value="x")
    flow("ours", by=system, team=team("Sales"))
    flow("theirs", by=system, team=team("Legal"))
    flow("shared", by=system)
    audit.record("user.change", mate, by=system, changes={"teams": ["Legal"]})
    audit.record("team.change", team("Sales"), by=system)
    mine = audit.record("user.change", other, by=chief)
    old = AuditEntry.objects.create(action="x", object_type="workflows.workflow")

    def names(user: User) -> set[str]:
        return {entry.object_name for entry in listed(user, "auditentry")}

    flows = {name for name in names(chief) if name in ("Ours", "Theirs", "Shared")}
    assert flows == {"Ours", "Shared"}
    assert {"Sales", mine.object_name} < names(chief)
    assert mate.email not in names(chief)
    assert "Ours" not in names(other)
    assert "Theirs" in names(other)
    assert old in listed(system, "auditentry") - listed(chief, "auditentry")
    for user, name in ((chief, "Theirs"), (other, "Ours")):
        index = signed_in(user).get(reverse("admin:index")).content.decode()
        assert name not in index
        assert "Shared" in index


def test_an_administrator_revokes_keys_of_their_people() -> None:
    chief, mate = person(ADMINISTRATOR, "Sales"), person(DEVELOPER, "Sales")
    both = person(DEVELOPER, "Sales", "Legal")
    keys = {
        user: ApiKey.objects.issue(user, "key", ["runs:read"])[0]
        for user in (chief, mate, both, boss())
    }
    assert listed(chief, "apikey") == {keys[chief], keys[mate]}
    assert listed(mate, "apikey") == {keys[mate]}
    data = {
        "action": "revoke",
        "_selected_action": [keys[mate].pk, keys[both].pk],
    }
    signed_in(chief).post(page("apikey"), data)
    revoked = ApiKey.objects.exclude(revoked_at=None)
    assert list(revoked) == [keys[mate]]
