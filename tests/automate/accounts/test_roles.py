"""Roles: made by a migration, kept up by `migrate`, never taken away."""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection

from automate.accounts import roles
from automate.accounts.admin.base import ReadOnlyAdmin
from automate.accounts.roles import ADMINISTRATOR, DEVELOPER, OPERATOR, ROLES, VIEWER
from automate.admin import site
from tests.makers import make_user

pytestmark = pytest.mark.django_db

# Permissions that no role has: what is history is archived, revoked or switched off.
NOBODYS = {
    "workflows.delete_workflow", "accounts.delete_apikey", "accounts.delete_team",
    "accounts.delete_user",
}  # fmt: skip
OURS = ("accounts", "workflows", "runs", "webhooks")


def given(role: str) -> set[str]:
    """What the database gives a role."""
    rows = Permission.objects.filter(group__name=role)
    pairs = rows.values_list("content_type__app_label", "codename")
    return {f"{app}.{name}" for app, name in pairs}


def tabled(role: str) -> set[str]:
    """What the table gives it, of all permissions that there are."""
    pairs = Permission.objects.values_list("content_type__app_label", "codename")
    return {name for pair in pairs if roles.may(role, name := ".".join(pair))}


@pytest.mark.parametrize("role", ROLES)
def test_a_fresh_database_has_the_roles_with_all_of_the_table(role: str) -> None:
    assert given(role) == tabled(role)


def test_each_role_may_do_all_that_the_next_one_may() -> None:
    names = list(ROLES)
    assert names == [ADMINISTRATOR, DEVELOPER, OPERATOR, VIEWER]
    for more, less in itertools.pairwise(names):
        assert given(more) > given(less)


def test_every_pattern_of_the_table_means_something() -> None:
    """A permission that was renamed would else leave its role without a word."""
    pairs = Permission.objects.values_list("content_type__app_label", "codename")
    known = {".".join(pair) for pair in pairs}
    for pattern in ROLES[ADMINISTRATOR]:
        assert any(fnmatchcase(name, pattern) for name in known), pattern


def test_every_permission_is_somebody_s_or_knowingly_nobody_s() -> None:
    """A new verb or editable page fails here until its role has been decided.

    History has no form, so nobody needs Django's permissions to write it.
    """
    written = {
        f"{verb}_{model._meta.model_name}"
        for model in apps.get_models()
        if isinstance(
            site._registry.get(model, ReadOnlyAdmin(model, site)), ReadOnlyAdmin
        )
        for verb in ("add", "change", "delete")
    }
    rows = Permission.objects.filter(content_type__app_label__in=OURS)
    pairs = rows.exclude(codename__in=written - {"add_run"}).values_list(
        "content_type__app_label", "codename"
    )
    known = {".".join(pair) for pair in pairs}
    assert known - given(ADMINISTRATOR) == NOBODYS


def test_a_viewer_looks_and_an_operator_sees_nothing_exact() -> None:
    assert {name.split(".")[1].split("_")[0] for name in given(VIEWER)} == {"view"}
    assert "runs.read_payloads" not in given(OPERATOR)
    assert "runs.read_payloads" in given(DEVELOPER)
    assert "accounts.view_user" not in given(DEVELOPER)


def test_what_was_taken_from_a_role_stays_taken() -> None:
    operator = Group.objects.get(name=OPERATOR)
    operator.permissions.remove(Permission.objects.get(codename="cancel_run"))
    Group.objects.get(name=VIEWER).delete()
    for config in apps.get_app_configs():
        roles.after_migrate(config, "default")
    assert "runs.cancel_run" not in given(OPERATOR)
    assert not Group.objects.filter(name=VIEWER).exists()


def test_a_permission_that_comes_later_gets_in() -> None:
    Permission.objects.get(codename="redrive_run").delete()
    Permission.objects.get(codename="view_worker").delete()
    own = Group.objects.create(name="Our own")
    config = apps.get_app_config("runs")
    roles.after_migrate(config, "default")
    create_permissions(config, verbosity=0)  # Django's receiver comes afterwards
    assert "runs.redrive_run" in given(OPERATOR)
    assert "runs.redrive_run" not in given(VIEWER)
    assert "runs.view_worker" in given(VIEWER)
    assert not own.permissions.exists()


def test_ours_comes_before_django_s() -> None:
    """Else nothing would be new to it."""
    from django.db.models.signals import post_migrate

    names = [lookup[0] for lookup, *_ in post_migrate.receivers]
    ours = names.index("accounts.roles")
    assert ours < names.index("django.contrib.auth.management.create_permissions")


def test_a_group_of_the_same_name_keeps_what_it_had() -> None:
    """As on an installation that made its own before 0.2."""
    viewer = Group.objects.get(name=VIEWER)
    viewer.permissions.set([Permission.objects.get(codename="cancel_run")])
    Group.objects.get(name=OPERATOR).delete()
    roles.make_groups(apps, connection.alias)
    roles.make_groups(apps, connection.alias)
    assert given(VIEWER) == {*tabled(VIEWER), "runs.cancel_run"}
    assert given(OPERATOR) == tabled(OPERATOR)
    assert Group.objects.filter(name__in=ROLES).count() == 4


@pytest.mark.django_db(transaction=True)
def test_an_emptied_database_gets_them_anew() -> None:
    call_command("flush", interactive=False, verbosity=0)
    for role in ROLES:
        assert given(role) == tabled(role) != set()


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ([ADMINISTRATOR], "admin"),
        ([VIEWER, DEVELOPER], "developer"),
        ([OPERATOR], "operator"),
        ([VIEWER], "user"),
        ([], "user"),
    ],
)
def test_a_person_s_role_by_name(groups: list[str], role: str) -> None:
    user = make_user()
    user.groups.set(Group.objects.filter(name__in=groups))
    assert user.role == role
    assert make_user(is_superuser=True).role == "admin"
