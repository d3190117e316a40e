"""The few pieces of ASGI that both kinds of streams need."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from automate.lib.errors import Code, encode_error
from runs.stream.hub import GONE, TALKS, Seat

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[str, str]]

STALLED = 30.0  # seconds that a reader may take for one piece
CHATTER = 100  # messages that a reader may send, who has nothing to say
QUIET = 2.0  # seconds without a message, after which a talker has said all
HEARD_OUT = 10.0  # seconds that a talker is listened to at most

_CODES = {
    400: Code.MALFORMED,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    429: Code.RATE_LIMITED,
    503: Code.UNAVAILABLE,
}


class Refused(Exception):
    """What is answered in place of a stream; `reason` in a few words."""

    def __init__(
        self, status: int, body: bytes, headers: Headers, reason: str = ""
    ) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers
        self.reason = reason


def refusal(scope: Scope, status: int, message: str, **headers: str) -> Refused:
    """In the API's format of errors."""
    accept = header(scope, b"accept")
    body, kind = encode_error(_CODES[status], message, status, accept=accept)
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Refused(
        status, body, [("content-type", kind), ("vary", "Accept"), *named], message
    )


def header(scope: Scope, name: bytes) -> str:
    """The header's text, the last one's where there are several; "" without it."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[-1].decode("latin-1") if found else ""


async def answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """A whole answer."""
    named = [(name.lower().encode(), value.encode()) for name, value in headers]
    if status != 204:
        named.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})


class Stalled(Exception):
    """The reader has stopped to read."""


async def push(send: Send, message: dict[str, Any]) -> None:
    """Send to a reader who reads. Raises Stalled for one who has stopped."""

    async def sent() -> None:
        await send(message)

    try:
        await asyncio.wait_for(sent(), STALLED)
    except TimeoutError:
        raise Stalled from None


def cut(client: tuple[str, int | str]) -> None:
    """End the connection of this client, whatever waits to be sent.

    `client` is its address and port, the latter as granian gives it: as text.

    The server would keep it, and what it holds for it, until the client goes: it
    waits to write what was given to it before. It does not say which is its socket.
    """
    wanted = (client[0], int(client[1]))
    for path in Path("/dev/fd").iterdir():
        if not path.is_socket():
            continue
        # Errors: it is closed meanwhile, or listens. The family is that of the longest
        # addresses.
        with (
            contextlib.suppress(OSError),
            socket.fromfd(int(path.name), socket.AF_INET6, socket.SOCK_STREAM) as one,
        ):
            if one.getpeername()[:2] == wanted:
                one.shutdown(socket.SHUT_RDWR)


@contextlib.asynccontextmanager
async def watched(receive: Receive, seat: Seat) -> AsyncIterator[None]:
    """Meanwhile the seat is closed when its client goes, or talks too much."""

    async def watch() -> None:
        for _ in range(CHATTER):
            if (await receive())["type"].endswith(".disconnect"):
                seat.close(GONE)
                return
        seat.close(TALKS)

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


async def hear_out(receive: Receive) -> None:
    """Take what a talker still sends, until it is quiet for a moment.

    What lies unread when a connection is closed makes its end a reset, and that takes
    the close frame with it (RFC 9112, section 9.6, tells of the same in HTTP).
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HEARD_OUT):
            while True:
                message = await asyncio.wait_for(receive(), QUIET)
                if message["type"].endswith(".disconnect"):
                    return
