"""A caller of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from automate.accounts.models import User
from tests.api_people import api, stranger
from tests.makers import make_key, make_user

__all__ = ["api", "stranger"]
Ask = Callable[..., Any]


@pytest.fixture
def user(db: None) -> User:
    """Who calls."""
    return make_user()


@pytest.fixture
def ask(client: Client, user: User) -> Ask:
    """`ask(path, *scopes, method="get", by=user, data=None)` -> response."""

    def call(
        path: str,
        *scopes: str,
        method: str = "get",
        by: User = user,
        data: Any = None,
        query: Any = None,
    ) -> Any:
        headers = {"x-api-key": make_key(by, *scopes)}
        options: dict[str, Any] = {"headers": headers}
        if method == "post":
            options |= {"data": data or {}, "content_type": "application/json"}
        elif query:
            options["data"] = query
        return getattr(client, method)(f"/api/v1/{path}", **options)

    return call
