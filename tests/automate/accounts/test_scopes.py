"""What a role gives in the API is what it gives in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from automate.accounts.models.api_key import Scope
from automate.accounts.roles import ADMINISTRATOR, DEVELOPER, OPERATOR, VIEWER
from automate.accounts.scopes import NEEDED, may_use, scopes_of
from tests.automate.accounts.api.asking import bearer, member

pytestmark = pytest.mark.django_db
LOOKING = {"workflows:read", "runs:read", "metrics:read"}
RUNNING = {*LOOKING, "runs:execute", "runs:redrive"}
ALL = set(Scope.values) - {"admin"}


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("", set()),
        (VIEWER, LOOKING),
        (OPERATOR, RUNNING),
        (DEVELOPER, ALL),
        (ADMINISTRATOR, ALL),
    ],
)
def test_the_scopes_of_a_role(role: str, scopes: set[str]) -> None:
    user = member()
    user.groups.set(Group.objects.filter(name=role))
    assert set(scopes_of(user)) == scopes


def test_a_superuser_has_every_scope_while_active() -> None:
    assert set(scopes_of(member(is_superuser=True))) == set(Scope)
    assert scopes_of(member(is_superuser=True, is_active=False)) == []


def test_every_permission_that_a_scope_needs_exists() -> None:
    """One that was renamed would take the scope from everybody but superusers."""
    rows = Permission.objects.values_list("content_type__app_label", "codename")
    known = {f"{app}.{name}" for app, name in rows}
    assert {name for names in NEEDED.values() for name in names} <= known


@pytest.mark.parametrize("scope", NEEDED)
def test_a_scope_takes_all_that_it_needs(scope: Scope) -> None:
    for missing in NEEDED[scope]:
        user = member()
        for name in set(NEEDED[scope]) - {missing}:
            user.user_permissions.add(_found(name))
        assert not may_use(user, scope)


def _found(name: str) -> Permission:
    app, codename = name.split(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


def test_what_is_taken_from_a_role_is_gone_from_its_tokens_at_once() -> None:
    user = member()
    group = Group.objects.get(name=VIEWER)
    user.groups.add(group)
    headers = bearer(user)
    assert Client().get("/api/v1/runs", headers=headers).status_code == 200

    group.permissions.remove(_found("runs.view_run"))
    answer = Client().get("/api/v1/runs", headers=headers)
    assert answer.status_code == 403
    assert "a role with the scope runs:read" in answer.json()["error"]["message"]
