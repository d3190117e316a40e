"""Who sees which rows: superusers all, others what their teams own or share."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Q, QuerySet

from automate.accounts.models import User
from automate.accounts.visibility import visible_to


def visible(
    queryset: QuerySet[Any, Any], user: User | AnonymousUser, path: str = "team"
) -> QuerySet[Any, Any]:
    """The rows of a queryset that this person may see.

    `path` leads to the team: `team`, `workflow__team`. Where a row has an owner beside
    its team, the owner sees it too.
    """
    if not isinstance(user, User):
        return queryset.none()
    if user.is_superuser:
        return queryset
    if _has_owner(queryset.model, path):
        return queryset.filter(visible_to(user, path.removesuffix("team")))
    teams = user.teams.values("pk")
    return queryset.filter(Q(**{f"{path}__isnull": True}) | Q(**{f"{path}__in": teams}))


def _has_owner(model: Any, path: str) -> bool:
    """Whether the model whose team the path leads to has owners."""
    for name in path.split("__")[:-1]:
        model = model._meta.get_field(name).related_model
    try:
        model._meta.get_field("owner")
    except FieldDoesNotExist:
        return False
    return True
