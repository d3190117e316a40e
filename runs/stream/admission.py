"""From a request to a seat: the host, the gate's questions in threads, free seats."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from django.conf import settings
from django.db import close_old_connections
from django.http import HttpResponse
from django.http.request import split_domain_port, validate_host

from runs.stream import gate
from runs.stream.asgi import Headers, Refused, Scope, header, refusal
from runs.stream.hub import Hub, NoSeat, Seat
from runs.stream.rights import Grant

AT_ONCE = 4  # requests at the gate, each with a database connection


class Admission:
    """Lets viewers in, or raises Refused with what to answer."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._threads = ThreadPoolExecutor(AT_ONCE, "stream-gate")

    async def grant(self, scope: Scope, kind: str, key: str) -> Grant:
        """What the gate gives for this request."""
        host, _ = split_domain_port(header(scope, b"host"))
        if not validate_host(host, settings.ALLOWED_HOSTS):
            raise refusal(scope, 400, "This host is not in ALLOWED_HOSTS.")
        loop = asyncio.get_running_loop()
        asked = partial(_ask, scope, kind, key)
        found = await loop.run_in_executor(self._threads, asked)
        if isinstance(found, Grant):
            return found
        headers = [(name, str(value)) for name, value in found.items()]
        raise Refused(
            found.status_code, found.content, headers, _message(found.content)
        )

    @contextmanager
    def seat(self, scope: Scope, grant: Grant) -> Iterator[Seat]:
        """As the hub's."""
        try:
            found = self._hub.seat(grant)
            with found as seat:
                yield seat
        except NoSeat:
            raise refusal(
                scope, 503, "Too many streams are open; try again.", retry_after="10"
            ) from None

    def cors(self, scope: Scope) -> Headers:
        """What lets a page read the answer: ours, or one of AUTOMATE_CORS_ORIGINS."""
        origin = header(scope, b"origin")
        allowed = [("vary", "Origin")]
        if origin.lower() in gate.our_origins():
            allowed.append(("access-control-allow-credentials", "true"))
        elif origin not in settings.CORS_ALLOWED_ORIGINS:
            return allowed  # the others may come with a key, not with a cookie
        return [("access-control-allow-origin", origin), *allowed]


def _ask(scope: Scope, kind: str, key: str) -> Grant | HttpResponse:
    close_old_connections()
    try:
        return gate.ask(scope, kind, key)
    finally:
        close_old_connections()


def _message(body: bytes) -> str:
    """The sentence of an error of ours, in either format."""
    found = json.loads(body or b"{}")
    error = found.get("error")
    return str(error["message"] if error else found.get("detail", ""))
