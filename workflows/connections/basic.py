"""Kind `basic`: a user and a password (RFC 7617, in UTF-8)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING

from workflows.connections.base import Kind

if TYPE_CHECKING:
    from workflows.actions.base import ConnectionData


def basic(user: str, password: str) -> str:
    """The value of the Authorization header."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class Basic(Kind):
    name = "basic"
    secrets = ("username", "password")

    def headers(self, link: ConnectionData) -> Iterable[tuple[str, str]]:
        given = link.credentials
        return (("Authorization", basic(given["username"], given["password"])),)


KIND = Basic()
