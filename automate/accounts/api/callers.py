"""Who calls: the person, and the key that acts for one."""

from __future__ import annotations

from typing import cast

from rest_framework.request import Request

from automate.accounts.models import ApiKey, User


def user_of(request: Request) -> User:
    """The person for whom the request is made; `HasScope` lets nobody else pass."""
    return cast("User", request.user)


def caller(request: Request) -> User | ApiKey:
    """Whom the audit names: the API key, else the person."""
    key = request.auth
    return key if isinstance(key, ApiKey) else user_of(request)
