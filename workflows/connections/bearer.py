"""Kind `bearer`: a token that does not change (RFC 6750)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workflows.connections.base import Kind

if TYPE_CHECKING:
    from workflows.actions.base import ConnectionData


class Bearer(Kind):
    name = "bearer"
    secrets = ("token",)

    def headers(self, link: ConnectionData) -> Iterable[tuple[str, str]]:
        return (("Authorization", f"Bearer {link.credentials['token']}"),)


KIND = Bearer()
