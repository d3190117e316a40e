"""How events are written: as Server-Sent Events, and as WebSocket messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from runs.stream.hub import GONE, REVOKED, STOPPING, TALKS
from runs.stream.topics import Event

HEADERS = [
    (b"cache-control", b"no-cache"),
    # nginx passes a stream on as it comes when it is told so.
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]
PREFLIGHT = [
    ("access-control-allow-methods", "GET"),
    ("access-control-allow-headers", "authorization, x-api-key, last-event-id"),
    ("access-control-max-age", "600"),
]
# RFC 6455, section 7.4; from 4000 on our own.
NORMAL, GOING_AWAY, POLICY, LATER = 1000, 1001, 1008, 1013
_CLOSES = {
    "": (NORMAL, "the run has ended"),
    REVOKED: (4403, "this may no longer be watched"),
    STOPPING: (GOING_AWAY, "the server stops; come back"),
    GONE: (NORMAL, "the client went"),
    TALKS: (POLICY, "there is nothing to be said here"),
}
SIGN_OF_LIFE = b": still here\n\n"
LONGEST_REASON = 120  # bytes; a close frame holds 123


def retry(milliseconds: int) -> bytes:
    """How long a reader should wait before it comes back."""
    return b"retry: %d\n\n" % milliseconds


def sse(events: Iterable[Event]) -> bytes:
    """The events as a piece of a `text/event-stream`; a comment for none."""
    return b"".join(map(_event, events)) or SIGN_OF_LIFE


def _event(event: Event) -> bytes:
    # JSON without line breaks is one line of data.
    named = f"id: {event.id}\n" if event.id else ""
    return f"event: {event.kind}\n{named}data: {event.data}\n\n".encode()


def texts(events: Iterable[Event]) -> Iterator[str]:
    """Messages `{"event", "id", "data"}`; for no events a sign of life."""
    beat = True
    for event in events:
        beat = False
        known = json.dumps(event.id or None)
        yield f'{{"event":"{event.kind}","id":{known},"data":{event.data}}}'
    if beat:
        yield '{"event":"beat","id":null,"data":null}'


def close(why: str) -> dict[str, Any]:
    """The end of a WebSocket, by why its seat was closed."""
    code, reason = _CLOSES[why]
    return {"type": "websocket.close", "code": code, "reason": reason}


def refused(status: int, message: str) -> dict[str, Any]:
    """The same for who was not let in: 4000 and the status of HTTP, or "try again"."""
    code = LATER if status >= 500 else 4000 + status
    reason = message.encode()[:LONGEST_REASON].decode(errors="ignore")
    return {"type": "websocket.close", "code": code, "reason": reason}
