"""Who sees what: the one rule of teams."""

from __future__ import annotations

from django.db.models import Q

from automate.accounts.models import User


def visible_to(user: User, path: str = "") -> Q:
    """What `user` may see of rows with `team` and `owner` at `path` ("workflow__").

    Their teams' rows, those of no team, and their own; superusers see all.
    """
    if user.is_superuser:
        return Q()
    return (
        Q(**{f"{path}team": None})
        | Q(**{f"{path}team__in": user.teams.all()})
        | Q(**{f"{path}owner": user})
    )
