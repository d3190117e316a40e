"""What clients of the token endpoints send."""

from __future__ import annotations

from typing import Any

from django.test import Client

from automate.accounts.models import User
from automate.accounts.sign_in import tokens
from tests.automate.accounts.sign_in.steps import PASSWORD
from tests.makers import make_user

TOKEN, REFRESH = "/api/v1/auth/token", "/api/v1/auth/token/refresh"
REVOKE, ME = "/api/v1/auth/token/revoke", "/api/v1/users/me"
FORM = "application/x-www-form-urlencoded"
ANSWER = {"access_token", "token_type", "expires_in", "refresh_token"}
PROBLEM = "application/problem+json"


def member(email: str = "", **fields: Any) -> User:
    """A person with a password who may not open the admin."""
    return make_user(email, password=PASSWORD, **fields)


def post(where: str, body: dict[str, Any], **extra: Any) -> Any:
    """The answer to JSON."""
    return Client().post(where, body, "application/json", **extra)


def post_form(where: str, text: str, **extra: Any) -> Any:
    """The answer to a form."""
    return Client().post(where, text, FORM, **extra)


def sign_in(user: User, password: str = PASSWORD, **more: Any) -> Any:
    """The answer to JSON of this person."""
    return post(TOKEN, {"email": user.email, "password": password, **more})


def refresh(token: str) -> Any:
    """The answer to a refresh token."""
    return post(REFRESH, {"refresh_token": token})


def code_of(answer: Any) -> str:
    """The code of a refusal."""
    found: str = answer.json()["error"]["code"]
    return found


def bearer(user: User) -> dict[str, str]:
    """The headers of somebody who signed in."""
    _row, issued = tokens.begin(
        user, with_second_factor=user.second_factor_since is not None
    )
    return {"Authorization": f"Bearer {issued.access}"}


def me(access: str) -> Any:
    """Who that token says one is."""
    return Client().get(ME, headers={"Authorization": f"Bearer {access}"})
