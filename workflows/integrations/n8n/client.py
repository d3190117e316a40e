"""n8n's public API, read through the guarded client.

https://docs.n8n.io/api/ and its pagination: pages of at most 250 workflows, the next
one by `cursor` = the last one's `nextCursor`, which is null at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from automate.lib.net import Client, NetError, Request, Response

PAGE = 50
TIMEOUT = 15.0  # seconds for one answer
MAX_PAGES = 200
MAX_RESPONSE = 32 * 1024 * 1024
MAX_REDIRECTS = 3
_KEY = "X-N8N-API-KEY"


class N8nError(Exception):
    """n8n did not give what was asked for; a code, and a sentence without secrets."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def base_url(given: str) -> str:
    """The instance's address, without what people paste along; ValueError says why not.

    `https://n8n.example.com/workflow/x` and `.../api/v1` become their instance.
    """
    url = given.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise ValueError("is no address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("must not hold a login")
    path = parts.path
    for end in ("/api/v1", "/api", "/workflow", "/home", "/rest"):
        position = f"{path}/".find(f"{end}/")
        if position >= 0:
            path = path[:position]
    return f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}"


@dataclass
class N8nApi:
    """An instance; all requests together have until `deadline` (monotonic, seconds)."""

    url: str
    api_key: str = field(repr=False)
    client: Client = field(repr=False)
    deadline: float

    def workflow(self, id_: str) -> Any:
        """The workflow of this id; raises N8nError."""
        return self._get(f"/api/v1/workflows/{quote(id_, safe='')}")

    def workflows(self) -> Iterator[Any]:
        """All of them, page by page; raises N8nError."""
        cursor, seen = "", set()
        for _ in range(MAX_PAGES):
            query = {"limit": PAGE, **({"cursor": cursor} if cursor else {})}
            page = self._get(f"/api/v1/workflows?{urlencode(query)}")
            items = page.get("data") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise N8nError("BAD_ANSWER", 'n8n\'s list of workflows has no "data"')
            yield from items
            cursor = page.get("nextCursor")
            if not cursor:
                return
            if not isinstance(cursor, str) or cursor in seen:
                raise N8nError("BAD_ANSWER", "n8n's pages do not come to an end")
            seen.add(cursor)
        raise N8nError(
            "BAD_ANSWER", f"n8n has more than {MAX_PAGES} pages of workflows"
        )

    def _get(self, path: str) -> Any:
        left = self.deadline - monotonic()
        if left <= 0:
            raise N8nError("TIMEOUT", "n8n took too long: ask for fewer workflow_ids")
        host = urlsplit(self.url).hostname or ""
        request = Request(
            "GET",
            f"{self.url}{path}",
            headers={_KEY: self.api_key, "Accept": "application/json"},
            timeout=min(TIMEOUT, left),
            max_response=MAX_RESPONSE,
            max_redirects=MAX_REDIRECTS,
            # Nobody else is to see the key, wherever a redirect leads.
            allowed_hosts=frozenset({host}),
        )
        try:
            response = self.client.send(request)
        except NetError as error:
            raise N8nError(
                _CODES.get(error.kind, "UNREACHABLE"), _said(error)
            ) from None
        return _read(response, of_list="?" in path)


_CODES = {"timeout": "TIMEOUT", "blocked": "ADDRESS_REFUSED"}


def _said(error: NetError) -> str:
    return f"n8n gave no answer: {error.message}"


_NO_API = "n8n answered 404: its public API is not at this address, or is switched off"


def _read(response: Response, *, of_list: bool) -> Any:
    status = response.status
    if status in (401, 403):
        message = f"n8n answered {status}: it does not take the API key"
        raise N8nError("UNAUTHORIZED", message)
    if status == 404:
        missing = "n8n answered 404: it has no such workflow"
        raise N8nError("NOT_FOUND", _NO_API if of_list else missing)
    if status == 429:
        raise N8nError("RATE_LIMITED", "n8n answered 429: it is asked too often")
    if not 200 <= status < 300:
        message = f"n8n answered {status}, which is no answer of its public API"
        raise N8nError("BAD_ANSWER", message)
    if response.truncated:
        message = f"n8n's answer has more than {MAX_RESPONSE >> 20} MiB"
        raise N8nError("BAD_ANSWER", message)
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        message = "n8n's answer is not JSON: is this the address of an instance?"
        raise N8nError("BAD_ANSWER", message) from None
