"""People whom somebody at the console makes: with a role, and teams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from automate.accounts import audit
from automate.accounts.models import Team, User
from automate.accounts.roles import ROLES, SHORT, VIEWER

# In any case; what the API calls them is understood too.
NAMES: Mapping[str, str] = {
    **{role.lower(): role for role in ROLES},
    **{short: role for role, short in SHORT.items()},
    "user": VIEWER,
}


def role_named(name: str) -> str:
    """The role of this name. Raises ValidationError that lists those that there are."""
    role = NAMES.get(name.strip().lower())
    if role is None:
        raise ValidationError(f"There is no role {name}. Known are {', '.join(ROLES)}.")
    if not Group.objects.filter(name=role).exists():
        raise ValidationError(f"The role {role} was deleted from this site.")
    return role


def teams_named(slugs: Sequence[str]) -> list[Team]:
    """The teams of these slugs. Raises ValidationError that lists those there are."""
    known = {team.slug: team for team in Team.objects.order_by("slug")}
    for slug in slugs:
        if slug not in known:
            there_are = f"Known are {', '.join(known)}." if known else "There are none."
            raise ValidationError(f"There is no team {slug}. {there_are}")
    return [known[slug] for slug in dict.fromkeys(slugs)]


def create_person(
    email: str,
    *,
    role: str,
    name: str = "",
    teams: Sequence[Team] = (),
    password: str | None = None,
    by: User | None = None,
) -> User:
    """A new person who may open the admin, as one that is added there.

    Without a password only an identity provider signs them in. Raises ValidationError.
    """
    user = User(email=User.objects.normalize_email(email).strip(), name=name.strip())
    user.clean_fields(exclude=("password",))
    if password is not None:
        validate_password(password, user)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                user.email, password, name=user.name, is_staff=True
            )
            user.groups.add(Group.objects.get(name=role))
            user.teams.add(*teams)
            changes = {"role": role, "teams": [team.slug for team in teams]}
            audit.record("user.create", user, by=by, changes=changes)
    except IntegrityError:
        if User.objects.filter(email__iexact=user.email).exists():
            text = f"Somebody signs in as {user.email} already."
            raise ValidationError(text) from None
        raise
    return user
