"""Kind `header`: a value in a header of any name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workflows.connections.base import Kind

if TYPE_CHECKING:
    from workflows.actions.base import ConnectionData


class Header(Kind):
    name = "header"
    secrets = ("name", "value")
    # Hidden everywhere, the name would hide other headers.
    readable = ("name",)

    def headers(self, link: ConnectionData) -> Iterable[tuple[str, str]]:
        return ((link.credentials["name"], link.credentials["value"]),)


KIND = Header()
