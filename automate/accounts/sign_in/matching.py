"""Whose account somebody gets who comes from the identity provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from automate.accounts import audit
from automate.accounts.models import Identity, User
from automate.accounts.roles import VIEWER
from automate.accounts.sign_in.errors import NoAccount


def person_of(claims: Mapping[str, Any]) -> User:
    """The account of who the provider says this is. Raises NoAccount.

    By the provider's own name for them, once they have come; the first time by their
    e-mail address, if the provider has verified it and the account is none that
    somebody made for themselves with an address that nobody checked. Where the
    settings name its domain, a new person becomes a Viewer of no team. A sign-in
    changes no role.
    """
    issuer, subject = settings.OIDC_ISSUER, str(claims["sub"])
    if len(subject) > 255 or "\0" in subject:  # Core, section 2
        raise NoAccount("The identity provider's name for you is not a valid one.")
    known = Identity.objects.filter(issuer=issuer, subject=subject)
    identity = known.select_related("user").first()
    if identity is None:
        try:
            identity = _linked(issuer, subject, claims)
        except IntegrityError:
            raise NoAccount("You came twice at once. Try again.") from None
    if not identity.user.is_active:
        raise NoAccount("This account is switched off. Ask an administrator.")
    known.update(last_used_at=timezone.now())
    return identity.user


def _linked(issuer: str, subject: str, claims: Mapping[str, Any]) -> Identity:
    with transaction.atomic():
        user = _by_address(claims)
        made = Identity.objects.create(user=user, issuer=issuer, subject=subject)
        changes = {"issuer": issuer, "subject": subject}
        audit.record("user.identity", user, by=user, changes=changes)
    return made


def _by_address(claims: Mapping[str, Any]) -> User:
    email = str(claims.get("email") or "").strip()
    if claims.get("email_verified") is not True or not _is_address(email):
        raise NoAccount(
            "The identity provider has not verified your e-mail address, so it cannot "
            "say which account is yours."
        )
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        return _new(email, str(claims.get("name") or ""))
    if not user.email_is_proven:
        raise NoAccount(
            "Somebody registered here with your address without showing that it is "
            "theirs. Ask an administrator, who can say that it is yours."
        )
    if user.identities.filter(issuer=settings.OIDC_ISSUER).exists():
        raise NoAccount(
            "The account with your address belongs to somebody else at the identity "
            "provider. Ask an administrator."
        )
    return user


def _new(email: str, name: str) -> User:
    domain = email.rpartition("@")[2].lower()
    if domain not in settings.OIDC_DOMAINS:
        raise NoAccount("You have no account here. Ask an administrator for one.")
    user = User.objects.create_user(email, None, name=name[:150], is_staff=True)
    user.groups.add(*Group.objects.filter(name=VIEWER))
    audit.record("user.create", user, by=None, changes={"from": settings.OIDC_ISSUER})
    return user


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254
