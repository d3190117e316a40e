"""Between the password and the code: who may be asked for the code."""

from __future__ import annotations

import time

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from automate.accounts.models import User

_KEY = "half_signed_in"
PATIENCE = 300  # seconds to find the telephone


def after_password(request: HttpRequest, user: User) -> None:
    """Remember who gave the right password, in a session of another key."""
    request.session.cycle_key()
    request.session[_KEY] = {
        "user": str(user.pk),
        "password": user.get_session_auth_hash(),
        "until": time.time() + PATIENCE,
    }


def half_signed_in(request: HttpRequest) -> User | None:
    """Who is to give a code: the password came a moment ago, or the session is older
    than the second factor. None when nobody is.
    """
    user = request.user
    if isinstance(user, User) and user.is_authenticated:
        verified = getattr(user, "otp_device", None) is not None
        return None if verified else _if_staff(user)
    kept = request.session.get(_KEY)
    if not kept or kept["until"] < time.time():
        return None
    found = User.objects.filter(pk=kept["user"]).first()
    if found is None:
        return None
    same = constant_time_compare(kept["password"], found.get_session_auth_hash())
    return _if_staff(found) if same else None


def _if_staff(user: User) -> User | None:
    return user if user.is_active and user.is_staff else None
