"""API keys: `Authorization: Bearer <key>` or `X-Api-Key: <key>`."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from automate.accounts.models import ApiKey, User
from automate.accounts.models.api_key import KEY_PREFIX, digest
from automate.lib.database import write_transaction

USE_NOTED_EVERY = timedelta(minutes=1)


class ApiKeyAuthentication(BaseAuthentication):
    """`request.user` is the key's user and `request.auth` the key.

    A key that is unknown, revoked, expired or of an inactive user costs the same one
    query and gets the same answer.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """None when no key was sent. Raises AuthenticationFailed for a bad one."""
        plain = _sent_key(request)
        if plain is None:
            return None
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
        return key.user, key

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """The challenge of a 401 (RFC 6750)."""
        return 'Bearer realm="automate"'


def _sent_key(request: Request) -> str | None:
    """The key, or None; a Bearer token that is not a key of ours is another's."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() == "bearer" and token.startswith(KEY_PREFIX):
        return token
    return request.headers.get("X-Api-Key", "").strip() or None


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
