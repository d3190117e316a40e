"""Roles: groups with a fixed name, and the one table of what each may do.

A migration makes the groups. Permissions that a later release brings are given when
`migrate` makes them; nothing is ever taken away, and what an installation took from a
role stays taken. Rows are another matter: `visibility` says which a person sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from django.apps import AppConfig
from django.apps import apps as all_apps
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import router, transaction

ADMINISTRATOR, DEVELOPER = "Administrator", "Developer"
OPERATOR, VIEWER = "Operator", "Viewer"

_VIEWER = (
    "runs.view_*", "workflows.view_*", "webhooks.view_*",
    "accounts.view_team", "accounts.view_auditentry",
)  # fmt: skip
_OPERATOR = (
    *_VIEWER,
    "runs.add_run", "runs.redrive_run", "runs.cancel_run", "runs.answer_waittoken",
    "workflows.close_breaker",
)  # fmt: skip
_DEVELOPER = (
    *_OPERATOR,
    "runs.read_payloads",
    "workflows.add_workflow", "workflows.change_workflow", "workflows.publish_workflow",
    "workflows.*_trigger", "workflows.*_secret", "workflows.*_connection",
    "accounts.view_apikey", "accounts.add_apikey", "accounts.change_apikey",
)  # fmt: skip
_ADMINISTRATOR = (
    *_DEVELOPER,
    "accounts.view_user", "accounts.add_user", "accounts.change_user",
    "accounts.add_team", "accounts.change_team", "accounts.*_failedsignin",
    "auth.view_group", "django_q.view_*",
)  # fmt: skip

# From the most to the least; each may do all that the next one may. Patterns of
# `app.codename`, so that what later models bring to look at is everybody's.
ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        ADMINISTRATOR: _ADMINISTRATOR,
        DEVELOPER: _DEVELOPER,
        OPERATOR: _OPERATOR,
        VIEWER: _VIEWER,
    }
)
APPS = frozenset(one.split(".")[0] for one in ROLES[ADMINISTRATOR])

# What the API calls them; a Viewer is a user.
SHORT: Mapping[str, str] = MappingProxyType(
    {ADMINISTRATOR: "admin", DEVELOPER: "developer", OPERATOR: "operator"}
)


def may(role: str, permission: str) -> bool:
    """Whether the table gives this role the permission (`runs.view_run`)."""
    return any(fnmatchcase(permission, pattern) for pattern in ROLES[role])


def highest(groups: Iterable[str]) -> str | None:
    """The role among these names of groups that may do the most."""
    names = set(groups)
    return next((role for role in ROLES if role in names), None)


def make_groups(apps: Apps, using: str) -> None:
    """The four groups with what they may do, as far as the permissions exist.

    A group that has the name already keeps what it has and gets the rest.
    """
    group = apps.get_model("auth", "Group")
    for role in ROLES:
        group._default_manager.using(using).get_or_create(name=role)
    _give(apps, using, _permissions(apps, using, APPS))


def after_migrate(
    app_config: AppConfig, using: str, apps: Apps = all_apps, **_more: Any
) -> None:
    """Give the roles what permissions `migrate` is about to make for an app.

    It makes them itself, in the transaction that gives them: Django's own receiver,
    which comes later, finds them done. Where no role is left, as after `flush`, all
    are made anew.
    """
    if app_config.label not in APPS or not _is_there(apps, using):
        return
    with transaction.atomic(using=using):
        before = {row.pk for row in _permissions(apps, using, [app_config.label])}
        create_permissions(app_config, using=using, apps=apps, verbosity=0)
        found = _permissions(apps, using, [app_config.label])
        new = [row for row in found if row.pk not in before]
        if not new:
            return
        group = apps.get_model("auth", "Group")._default_manager.using(using)
        if group.filter(name__in=ROLES).exists():
            _give(apps, using, new)
        else:
            make_groups(apps, using)


def _is_there(apps: Apps, using: str) -> bool:
    try:
        group = apps.get_model("auth", "Group")
        apps.get_model("auth", "Permission")
    except LookupError:
        return False  # `migrate auth zero`
    return router.allow_migrate_model(using, group)


def _permissions(apps: Apps, using: str, labels: Iterable[str]) -> list[Any]:
    rows = apps.get_model("auth", "Permission")._default_manager.using(using)
    found = rows.filter(content_type__app_label__in=labels)
    return list(found.select_related("content_type"))


def _give(apps: Apps, using: str, permissions: Iterable[Any]) -> None:
    """Add these to the roles that may have them; a role that was deleted stays so."""
    groups = apps.get_model("auth", "Group")._default_manager.using(using)
    found = list(permissions)
    for group in groups.filter(name__in=ROLES):
        group.permissions.add(
            *(
                row
                for row in found
                if may(group.name, f"{row.content_type.app_label}.{row.codename}")
            )
        )
