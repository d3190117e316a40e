"""API keys and access tokens: `Authorization: Bearer ...`, keys also `X-Api-Key`."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from automate.accounts.models import ApiKey, SignIn, User
from automate.accounts.models.api_key import KEY_PREFIX, digest
from automate.accounts.sign_in import tokens
from automate.lib.database import write_transaction
from automate.lib.tokens import BadToken, looks_like_one

USE_NOTED_EVERY = timedelta(minutes=1)
CHALLENGE = 'Bearer realm="automate"'


class BearerAuthentication(BaseAuthentication):
    """`request.user` is the person, `request.auth` their key or their sign-in.

    Keys and tokens are told apart by their form, so each costs its own query and no
    other. What is unknown, revoked, ended, expired or of an inactive user gets one
    answer; a token that is not ours costs no query at all.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiKey | SignIn] | None:
        """None when nothing of ours was sent. Raises AuthenticationFailed."""
        plain = _sent_key(request)
        if plain is not None:
            key = _key(plain)
            return key.user, key
        token = _bearer(request)
        if not looks_like_one(token):
            return None
        try:
            row = tokens.of_access(token)
        except BadToken:
            raise AuthenticationFailed(
                "The access token is not valid, or no longer: exchange the refresh "
                "token, or sign in again."
            ) from None
        return row.user, row

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """The challenge of a 401 (RFC 6750)."""
        return CHALLENGE


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _sent_key(request: Request) -> str | None:
    """The key, or None; X-Api-Key counts before a Bearer token that is no key, which
    may be for a proxy in between."""
    token = _bearer(request)
    if token.startswith(KEY_PREFIX):
        return token
    return request.headers.get("X-Api-Key", "").strip() or None


def _key(plain: str) -> ApiKey:
    # The digest of 256 random bits is what the database compares, so the time
    # that its index takes tells nothing about any key.
    key = (
        ApiKey.objects.usable()
        .select_related("user")
        .filter(key_hash=digest(plain))
        .first()
    )
    if key is None:
        raise AuthenticationFailed("The API key is unknown, expired or revoked.")
    _note_use(key)
    return key


def _note_use(key: ApiKey) -> None:
    """Keep when the key was last used, to the minute: reads should not all write."""
    now = timezone.now()
    before = now - USE_NOTED_EVERY
    if key.last_used_at is not None and key.last_used_at > before:
        return
    with write_transaction():
        ApiKey.objects.filter(
            Q(last_used_at=None) | Q(last_used_at__lte=before), pk=key.pk
        ).update(last_used_at=now)
