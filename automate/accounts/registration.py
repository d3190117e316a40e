"""People who make their own account: Developers in a team of their own."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from automate.accounts import audit
from automate.accounts.models import Team, User
from automate.accounts.roles import DEVELOPER
from automate.lib.ids import uuid7


class Taken(Exception):
    """Somebody has an account with this address."""


def register(email: str, password: str, name: str) -> User:
    """A new Developer, alone in a new team. Raises Taken.

    Nobody has shown that the address is theirs, so the account is never given to
    whom an identity provider names by it (`email_is_proven`).
    """
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                email, password, name=name, is_staff=True, email_is_proven=False
            )
            user.groups.add(*Group.objects.filter(name=DEVELOPER))
            user.teams.add(_own_team(user))
            audit.record("user.register", user, by=user)
    except IntegrityError:
        if User.objects.filter(email__iexact=email).exists():
            raise Taken from None
        raise
    return user


def _own_team(user: User) -> Team:
    """Its slug is not made of the name, which would tell who else is here."""
    slug = f"team-{uuid7().hex}"
    return Team.objects.create(name=f"{user.get_short_name()}'s team"[:100], slug=slug)
