"""Calling the API as one person, with one key for each choice of scopes."""

from __future__ import annotations

from typing import Any

from django.test import Client

from automate.accounts.models import User
from automate.lib import jsonio
from tests.makers import make_key


class Caller:
    """`caller.post("workflows", {...})` -> response; as `user`, with `scopes`."""

    def __init__(self, user: User, *scopes: str) -> None:
        self.user = user
        self.key = make_key(user, *(scopes or ("admin",)))

    def __call__(self, method: str, path: str, data: Any = None, **headers: str) -> Any:
        """`path` is below /api/v1/, or the whole address; `If_Match="3"` a header."""
        where = path.removeprefix("http://testserver/api/v1/")
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return Client().generic(
            method,
            f"/api/v1/{where}",
            b"" if data is None else jsonio.dumps(data).encode(),
            content_type="application/json",
            headers={"x-api-key": self.key, **named},
        )

    def get(self, path: str, **headers: str) -> Any:
        """GET."""
        return self("GET", path, **headers)

    def post(self, path: str, data: Any = None, **headers: str) -> Any:
        """POST."""
        return self("POST", path, data, **headers)

    def put(self, path: str, data: Any, **headers: str) -> Any:
        """PUT."""
        return self("PUT", path, data, **headers)

    def patch(self, path: str, data: Any, **headers: str) -> Any:
        """PATCH."""
        return self("PATCH", path, data, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        """DELETE."""
        return self("DELETE", path, **headers)


def wrong(response: Any) -> dict[str, str]:
    """The fields that a 400 names, with what is wrong."""
    assert response.status_code == 400, response.content
    errors = response.json()["error"]["details"]["errors"]
    return {item["field"]: item["issue"] for item in errors}
