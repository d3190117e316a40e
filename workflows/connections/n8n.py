"""Kind `n8n`: an instance of n8n and a key of its public API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workflows.connections.base import Kind

if TYPE_CHECKING:
    from workflows.actions.base import ConnectionData

API_KEY = "X-N8N-API-KEY"


class N8n(Kind):
    name = "n8n"
    secrets = ("api_key",)

    def headers(self, link: ConnectionData) -> Iterable[tuple[str, str]]:
        """Without a key none: a production webhook is called without it."""
        key = link.credentials.get("api_key")
        return ((API_KEY, key),) if key else ()


KIND = N8n()
