"""Who sees what: the rules of teams, for objects, people, keys and the audit."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from automate.accounts.models import User

Membership = User.teams.through


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


def seen_people(user: User) -> Q:
    """The people whom `user` may see: oneself, one's teams' and those of no team."""
    if user.is_superuser:
        return Q()
    together = Membership.objects.filter(team__in=user.teams.all())
    member = Membership.objects.filter(user=OuterRef("pk"))
    alone = Q(~Exists(member))
    return Q(pk=user.pk) | Q(pk__in=together.values("user")) | alone


def governed_people(user: User) -> Q:
    """Those whom `user` may act for, if permitted: no superuser, nor of a further team.

    Whoever sets a password could sign in as that person and see what they see.
    """
    if user.is_superuser:
        return Q()
    member = Membership.objects.filter(user=OuterRef("pk"))
    further = member.exclude(team__in=user.teams.all())
    return Q(~Exists(further), is_superuser=False)


def governs(user: User, other: User) -> bool:
    """Whether `user`, if permitted, may change `other`, who has no more rights."""
    if user.is_superuser:
        return True
    rows = User.objects.filter(governed_people(user), pk=other.pk)
    return rows.exists() and other.get_all_permissions() <= user.get_all_permissions()


def seen_keys(user: User) -> Q:
    """The API keys that `user` may see and revoke, if permitted: their own; for who
    changes people theirs too, for superusers all.
    """
    if user.is_superuser:
        return Q()
    if not user.has_perm("accounts.change_user"):
        return Q(user=user)
    return Q(user=user) | Q(user__in=User.objects.filter(governed_people(user)))


def seen_entries(user: User) -> Q:
    """The audit for `user`: their own acts, and what was done to what they see.

    What was done to people and keys is for superusers: it may name any team.
    """
    if user.is_superuser:
        return Q()
    return Q(user=user) | Q(team__in=user.teams.all()) | Q(is_shared=True)
