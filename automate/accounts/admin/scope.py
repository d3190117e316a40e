"""Who sees which rows: superusers all, others what their teams own or share."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, Q, QuerySet

from automate.accounts.models import User


def team_rule(user: User | AnonymousUser, path: str = "team") -> Q:
    """The filter that leaves a person their teams' rows and the shared ones.

    `path` leads to the team: `team`, `workflow__team`.
    """
    if user.is_superuser:
        return Q()
    if not isinstance(user, User):
        return Q(pk__in=())
    teams = user.teams.values("pk")
    return Q(**{f"{path}__isnull": True}) | Q(**{f"{path}__in": teams})


def visible(
    queryset: QuerySet[Any, Any], user: User | AnonymousUser, path: str = "team"
) -> QuerySet[Any, Any]:
    """The rows of a queryset that this person may see."""
    rule = team_rule(user, path)
    return queryset.filter(rule) if rule else queryset


def may_see(target: Model, user: User | AnonymousUser, path: str = "team") -> bool:
    """Whether this person may see one object."""
    rows = type(target)._default_manager.filter(pk=target.pk)
    return visible(rows, user, path).exists()
