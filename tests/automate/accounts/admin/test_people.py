"""People, teams, roles, keys and the audit in the admin."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from automate.accounts.admin.api_key import ApiKeyAdmin
from automate.accounts.models import ApiKey, AuditEntry, Team, User
from automate.accounts.models.api_key import digest
from tests.admin_world import boss, operator, signed_in
from tests.makers import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def address(noun: str, page: str = "add", *args: Any) -> str:
    return reverse(f"admin:accounts_{noun}_{page}", args=args)


# --- signing in ---


@pytest.mark.parametrize("typed", ["ops@example.com", "OPS@Example.COM"])
def test_a_person_signs_in_by_address(client: Client, typed: str) -> None:
    User.objects.create_superuser("ops@example.com", PASSWORD)
    login = reverse("admin:login")
    assert "E-mail address" in client.get(login).content.decode()
    response = client.post(login, {"username": typed, "password": PASSWORD})
    assert response.status_code == 302
    assert "_auth_user_id" in client.session


@pytest.mark.parametrize(
    "fields", [{"is_staff": False}, {"is_staff": True, "is_active": False}]
)
def test_who_may_not_open_the_admin_stays_outside(
    client: Client, fields: dict[str, bool]
) -> None:
    make_user("x@example.com", password=PASSWORD, **fields)
    data = {"username": "x@example.com", "password": PASSWORD}
    assert client.post(reverse("admin:login"), data).status_code == 200
    assert "_auth_user_id" not in client.session


# --- users ---


def new_user(**fields: Any) -> dict[str, Any]:
    return {
        "email": "new@example.com",
        "name": "New",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        **fields,
    }


def test_a_new_person_can_sign_in() -> None:
    response = signed_in(boss()).post(address("user"), new_user(), follow=True)
    assert response.status_code == 200
    user = User.objects.get(email="new@example.com")
    assert user.check_password(PASSWORD)
    assert not user.is_staff
    entry = AuditEntry.objects.get(action="user.create")
    assert PASSWORD not in str(entry.changes)
    assert entry.changes["email"]["to"] == "new@example.com"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"email": "OPS@example.com"}, "email"),
        ({"email": "nonsense"}, "email"),
        ({"email": ""}, "email"),
        ({"password2": "another one 123"}, "password2"),
        ({"password1": "123", "password2": "123"}, "password2"),
    ],
)
def test_a_new_person_s_form_says_what_is_wrong(
    fields: dict[str, str], wrong: str
) -> None:
    make_user("ops@example.com")
    response = signed_in(boss()).post(address("user"), new_user(**fields))
    assert wrong in response.context["adminform"].form.errors
    assert not User.objects.filter(name="New").exists()


def test_a_password_is_changed_by_its_own_form_and_never_shown() -> None:
    user = make_user("x@example.com", password=PASSWORD)
    client = signed_in(boss())
    text = client.get(address("user", "change", user.pk)).content.decode()
    assert user.password not in text
    form = reverse("admin:auth_user_password_change", args=(user.pk,))
    new = "another long password"
    client.post(form, {"usable_password": "true", "password1": new, "password2": new})
    user.refresh_from_db()
    assert user.check_password(new)
    assert new not in str(list(AuditEntry.objects.values_list("changes")))
    assert AuditEntry.objects.filter(action="user.change").exists()


USER_RIGHTS = ("accounts.view_user", "accounts.change_user", "accounts.add_user")


def test_nobody_gives_themselves_rights() -> None:
    user = operator(*USER_RIGHTS)
    group = Group.objects.get(name="Administrator")
    team = Team.objects.create(name="Sales", slug="sales")
    data = {
        "email": user.email,
        "name": "Me",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [group.pk],
    }
    client, page = signed_in(user), address("user", "change", user.pk)
    for more in ({"teams": [team.pk]}, {"role": "Administrator"}, {"role": "Viewer"}):
        assert client.post(page, {**data, **more}).status_code == 200
    assert client.post(page, data).status_code == 302
    user.refresh_from_db()
    assert user.name == "Me"
    assert not user.is_superuser
    assert not user.groups.exists()
    assert not user.teams.exists()


def test_nobody_takes_over_a_superuser() -> None:
    chief = make_user("chief@example.com", is_superuser=True, password=PASSWORD)
    client = signed_in(operator(*USER_RIGHTS))
    page = address("user", "change", chief.pk)
    assert client.post(page, {"email": "me@example.com"}).status_code == 403
    form = reverse("admin:auth_user_password_change", args=(chief.pk,))
    new = {"usable_password": "true", "password1": "x" * 20, "password2": "x" * 20}
    assert client.post(form, new).status_code == 403
    chief.refresh_from_db()
    assert chief.check_password(PASSWORD)


def test_people_are_switched_off_and_not_deleted() -> None:
    user = make_user()
    page = address("user", "delete", user.pk)
    assert signed_in(boss()).post(page, {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=user.pk).exists()


def test_only_superusers_write_roles() -> None:
    group = Group.objects.get(name="Viewer")
    rights = ("auth.view_group", "auth.change_group", "auth.add_group")
    page = reverse("admin:auth_group_change", args=(group.pk,))
    client = signed_in(operator(*rights))
    assert client.post(page, {"name": "Everything"}).status_code == 403
    signed_in(boss()).post(page, {"name": "Reader"})
    group.refresh_from_db()
    assert group.name == "Reader"
    assert AuditEntry.objects.get(action="group.change").object_name == "Reader"


def test_a_team_is_made_and_counted() -> None:
    client = signed_in(boss())
    client.post(address("team"), {"name": "Sales", "slug": "sales"})
    team = Team.objects.get()
    make_user().teams.add(team)
    text = client.get(address("team", "changelist")).content.decode()
    assert f"teams__id__exact={team.pk}" in text
    entry = AuditEntry.objects.get(action="team.create")
    assert entry.changes["slug"] == {"from": None, "to": "sales"}


# --- API keys ---


def key_form(user: User, **fields: Any) -> dict[str, Any]:
    return {"user": user.pk, "name": "CI", "scopes": ["runs:read"], **fields}


def issued(client: Client, user: User, **fields: Any) -> tuple[ApiKey, str]:
    """The key that the form made, and its text from the message."""
    response = client.post(address("apikey"), key_form(user, **fields), follow=True)
    said = " ".join(str(one) for one in response.context["messages"])
    plain = re.search(r"amk_[\w-]+", said)
    assert plain is not None, said
    return ApiKey.objects.get(name=fields.get("name", "CI")), plain[0]


def test_a_key_is_shown_once_and_works() -> None:
    user = boss()
    client = signed_in(user)
    key, plain = issued(client, user, scopes=["runs:read", "runs:redrive"])
    assert key.key_hash == digest(plain)
    assert key.scopes == ["runs:read", "runs:redrive"]
    for page in (address("apikey", "changelist"), address("apikey", "change", key.pk)):
        text = client.get(page).content.decode()
        assert plain not in text
        assert key.key_hash not in text
    assert plain not in str(list(AuditEntry.objects.values_list("changes")))
    assert AuditEntry.objects.get(action="apikey.create").object_id == str(key.pk)


@pytest.mark.parametrize("scopes", [[], ["runs:explode"]])
def test_a_key_needs_known_scopes(scopes: list[str]) -> None:
    user = boss()
    response = signed_in(user).post(address("apikey"), key_form(user, scopes=scopes))
    assert "scopes" in response.context["adminform"].form.errors
    assert not ApiKey.objects.exists()


KEY_RIGHTS = (
    "runs.view_run",
    *(f"accounts.{verb}_apikey" for verb in ("view", "add", "change")),
)


@pytest.mark.parametrize("scope", ["admin", "runs:redrive", "payloads:read"])
def test_nobody_gives_a_key_what_they_may_not_do(scope: str) -> None:
    user = operator(*KEY_RIGHTS)
    data = key_form(user, scopes=["runs:read", scope])
    response = signed_in(user).post(address("apikey"), data)
    assert "scopes" in response.context["adminform"].form.errors
    assert not ApiKey.objects.exists()
    shown = signed_in(boss()).get(address("apikey")).content.decode()
    assert f'value="{scope}"' in shown, "the form of one person is not another's"


def test_others_make_keys_for_themselves_and_see_their_own() -> None:
    chief, user = boss(), operator(*KEY_RIGHTS)
    client = signed_in(user)
    key, _plain = issued(client, chief, name="mine")
    assert key.user == user
    other, _text = ApiKey.objects.issue(chief, "theirs", ["admin"])
    listed = client.get(address("apikey", "changelist")).context["cl"].result_list
    assert list(listed) == [key]
    assert client.get(address("apikey", "change", other.pk)).status_code == 302


def test_what_a_key_may_do_is_fixed() -> None:
    user = boss()
    key, _plain = ApiKey.objects.issue(user, "CI", ["runs:read"])
    page = address("apikey", "change", key.pk)
    signed_in(user).post(page, {"name": "Build", "scopes": ["admin"], "user": ""})
    key.refresh_from_db()
    assert (key.name, key.scopes, key.user) == ("Build", ["runs:read"], user)


def test_superusers_set_a_key_s_limit_and_nobody_else_does() -> None:
    chief, user = boss(), operator(*KEY_RIGHTS)
    key, _plain = issued(signed_in(chief), chief, rate_limit="100/m")
    assert key.rate_limit == "100/m"
    page = address("apikey", "change", key.pk)
    signed_in(chief).post(page, {"name": "CI", "rate_limit": "5/s"})
    key.refresh_from_db()
    assert key.rate_limit == "5/s"

    own, _plain = issued(signed_in(user), user, name="own", rate_limit="9/s")
    assert own.rate_limit == ""
    page = address("apikey", "change", own.pk)
    signed_in(user).post(page, {"name": "own", "rate_limit": "9/s"})
    own.refresh_from_db()
    assert own.rate_limit == ""


def test_a_key_s_limit_that_is_no_rate_is_told_at_the_field() -> None:
    user = boss()
    data = key_form(user, rate_limit="often")
    response = signed_in(user).post(address("apikey"), data)
    (told,) = response.context["adminform"].form.errors["rate_limit"]
    assert "such as 10/s" in told
    assert not ApiKey.objects.exists()


def test_a_revoked_key_stays_and_works_no_more() -> None:
    user = boss()
    key, _plain = ApiKey.objects.issue(user, "CI", ["runs:read"])
    data = {"action": "revoke", "_selected_action": [key.pk]}
    client = signed_in(user)
    client.post(address("apikey", "changelist"), data)
    key.refresh_from_db()
    first = key.revoked_at
    assert first is not None
    assert not ApiKey.objects.usable().exists()
    client.post(address("apikey", "changelist"), data)
    key.refresh_from_db()
    assert key.revoked_at == first
    assert AuditEntry.objects.filter(action="apikey.revoke").count() == 1
    page = address("apikey", "delete", key.pk)
    assert client.post(page, {"post": "yes"}).status_code == 403


def test_a_viewer_revokes_nothing() -> None:
    assert ApiKeyAdmin.revoke.allowed_permissions == ["revoke"]  # type: ignore[attr-defined]
    user = operator("accounts.view_apikey")
    key, _plain = ApiKey.objects.issue(user, "CI", ["runs:read"])
    data = {"action": "revoke", "_selected_action": [key.pk]}
    signed_in(user).post(address("apikey", "changelist"), data)
    key.refresh_from_db()
    assert key.revoked_at is None


def test_the_state_of_a_key_is_told() -> None:
    user, now = boss(), timezone.now()
    for name, fields in (
        ("one", {}),
        ("two", {"expires_at": now - timedelta(days=1)}),
        ("three", {"revoked_at": now}),
    ):
        key, _plain = ApiKey.objects.issue(user, name, ["runs:read"])
        ApiKey.objects.filter(pk=key.pk).update(**fields)
    text = signed_in(user).get(address("apikey", "changelist")).content.decode()
    for state in ("active</span>", "expired</span>", "revoked</span>"):
        assert state in text


def test_the_boxes_of_a_moment_have_names() -> None:
    client = signed_in(boss())
    key, _plain = ApiKey.objects.issue(boss(), "CI", ["runs:read"])
    for page in (address("apikey"), address("apikey", "change", key.pk)):
        text = client.get(page).content.decode()
        for name in ("Expires at: date", "Expires at: time"):
            assert text.count(f'aria-label="{name}"') == 1, page


# --- the audit ---


def test_the_history_of_an_object_is_its_audit() -> None:
    client = signed_in(boss())
    client.post(address("team"), {"name": "Sales", "slug": "sales"})
    client.post(address("team"), {"name": "Other", "slug": "other"})
    team = Team.objects.get(slug="sales")
    response = client.get(address("team", "history", team.pk), follow=True)
    entries = response.context["cl"].result_list
    assert [entry.object_name for entry in entries] == ["Sales"]


def test_the_audit_is_read_only_and_tells_who() -> None:
    user = boss()
    client = signed_in(user)
    client.post(address("team"), {"name": "Sales", "slug": "sales"})
    entry = AuditEntry.objects.get()
    page = client.get(address("auditentry", "change", entry.pk)).content.decode()
    assert user.email in page
    assert "&quot;slug&quot;" in page
    for name in ("change", "delete"):
        path = address("auditentry", name, entry.pk)
        assert client.post(path, {"post": "yes"}).status_code == 403
    assert client.post(address("auditentry")).status_code == 403
    by_type = client.get(address("auditentry", "changelist"), {"q": "team.create"})
    assert list(by_type.context["cl"].result_list) == [entry]
    none = client.get(
        address("auditentry", "changelist"), {"object_type": "accounts.user"}
    )
    assert list(none.context["cl"].result_list) == []


def test_a_viewer_without_permission_sees_no_audit() -> None:
    client = signed_in(operator("accounts.view_team"))
    assert client.get(address("auditentry", "changelist")).status_code == 403
    assert "Audit" not in client.get(reverse("admin:index")).content.decode()
