"""The ASGI application of the stream listener: `.../events` and `/ws/...`, no more.

Server-Sent Events as the WHATWG's HTML, section 9.2, has them; the same events over
WebSocket. Written to the ASGI 3.0 specification, without a framework: there are two
addresses (docs/adr/0016).
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

from runs.stream import frames
from runs.stream.admission import Admission
from runs.stream.asgi import (
    STALLED,
    Receive,
    Refused,
    Scope,
    Send,
    Stalled,
    answer,
    cut,
    header,
    hear_out,
    push,
    refusal,
    watched,
)
from runs.stream.hub import TALKS, Hub, Seat
from runs.stream.topics import Event, RunTopic

logger = logging.getLogger(__name__)

BEAT = 15.0  # seconds without an event, after which a sign of life is sent
PART = 16 * 1024  # bytes that are given to the server at once
FAREWELL = 4.0  # seconds that viewers get to take their last event
FIRST_LOOK = 10.0  # seconds that a viewer waits for the first look at a run

_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
EVENTS = re.compile(rf"/api/v1/runs/({_UUID})/events")
SOCKET = re.compile(rf"/ws/(?:(runs)/({_UUID})|(workflows)/([^/]{{1,100}}))")


class App:
    """`await app(scope, receive, send)`; one for a process."""

    def __init__(self, hub: Hub | None = None) -> None:
        self.hub = hub or Hub()
        self._admission = Admission(self.hub)
        self._open = 0  # connections that are served now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        serve = self._socket if scope["type"] == "websocket" else self._http
        self._open += 1
        try:
            await serve(scope, receive, send)
        except Stalled:
            logger.info("a reader took nothing for %d s and is let go", STALLED)
            cut(scope["client"])
        finally:
            self._open -= 1

    async def _live(self, receive: Receive, send: Send) -> None:
        """Let viewers go at SIGTERM, and the server stop when they have gone.

        The server stops at either signal, and would cut the sockets whose last frame
        is still to be written; so it hears of SIGTERM as a SIGINT, a little later.
        """
        loop = asyncio.get_running_loop()
        going: set[asyncio.Task[None]] = set()

        def stop() -> None:
            if not going:
                going.add(loop.create_task(self._let_go()))

        loop.add_signal_handler(signal.SIGTERM, stop)
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        self.hub.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _let_go(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + FAREWELL
        self.hub.close()
        while self._open and loop.time() < until:
            await asyncio.sleep(0.02)
        signal.raise_signal(signal.SIGINT)

    # --- Server-Sent Events ---------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        cors = self._admission.cors(scope)
        try:
            found = EVENTS.fullmatch(scope["path"])
            if found is None:
                raise refusal(scope, 404, "There are events of runs here, no more.")
            if scope["method"] == "OPTIONS":
                await answer(send, 204, [*cors, *frames.PREFLIGHT])
                return
            if scope["method"] != "GET":
                raise refusal(scope, 405, "Events are read with GET.", allow="GET")
            async with self._seat(scope, receive, "run", found[1]) as seat:
                await self._stream(scope, send, seat, cors)
        except Refused as refused:
            await answer(send, refused.status, [*refused.headers, *cors], refused.body)

    async def _stream(
        self, scope: Scope, send: Send, seat: Seat, cors: list[tuple[str, str]]
    ) -> None:
        last_id = header(scope, b"last-event-id")
        first = seat.topic.beginning(last_id)
        if seat.topic.has_ended and not first:
            # The reader knows all of it; 204 is what stops it from asking again.
            await answer(send, 204, cors)
            return
        headers = [(b"content-type", b"text/event-stream"), *frames.HEADERS]
        headers += [(name.encode(), value.encode()) for name, value in cors]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # Not all at once, when a process stopped and its readers come back.
        await _piece(send, frames.retry(1000 + random.randrange(3000)))  # noqa: S311
        async for events in self._events(seat, first):
            await _piece(send, frames.sse(events))
        await _piece(send, b"", more=False)

    # --- WebSocket ------------------------------------------------------------------

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        try:
            found = SOCKET.fullmatch(scope["path"])
            if found is None:
                raise refusal(
                    scope, 404, "There is /ws/runs/{id} and /ws/workflows/{id}."
                )
            kind, key = ("run", found[2]) if found[1] else ("workflow", found[4])
            async with self._seat(scope, receive, kind, key) as seat:
                await send({"type": "websocket.accept"})
                given = parse_qs(scope["query_string"].decode("latin-1"))
                first = seat.topic.beginning(given.get("last_event_id", [""])[-1])
                async for events in self._events(seat, first):
                    for text in frames.texts(events):
                        await push(send, {"type": "websocket.send", "text": text})
            # Outside: the server does not close while somebody waits to receive.
            if seat.closed == TALKS:
                await hear_out(receive)
            await send(frames.close(seat.closed))
        except Refused as refused:
            await send({"type": "websocket.accept"})
            await send(frames.refused(refused.status, refused.reason))

    # --- both -----------------------------------------------------------------------

    @asynccontextmanager
    async def _seat(
        self, scope: Scope, receive: Receive, kind: str, key: str
    ) -> AsyncIterator[Seat]:
        """A seat whose topic has been looked at, of who is there and may have it."""
        grant = await self._admission.grant(scope, kind, key)
        with self._admission.seat(scope, grant) as seat:
            async with watched(receive, seat):
                await self._look(scope, seat)
                yield seat

    async def _look(self, scope: Scope, seat: Seat) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + FIRST_LOOK
        while not seat.topic.looks and not seat.closed and loop.time() < until:
            await seat.changed(until - loop.time())
        if not seat.topic.looks:
            raise refusal(
                scope, 503, "The database does not answer; try again.", retry_after="5"
            )

    async def _events(
        self, seat: Seat, first: list[Event]
    ) -> AsyncIterator[list[Event]]:
        """What is new, piece by piece to the end; an empty piece is a sign of life."""
        topic = seat.topic
        told = topic.looks
        if first:
            yield first
        while not seat.closed:
            if isinstance(topic, RunTopic) and topic.has_ended and told == topic.looks:
                yield [topic.end()]
                return
            if told == topic.looks and not await seat.changed(BEAT):
                yield []
            look, events = topic.looks, topic.after(told)
            told = look
            if events and not seat.closed:
                yield events


async def _piece(send: Send, body: bytes, *, more: bool = True) -> None:
    """Send it in small parts: the server keeps a few of them for a slow reader."""
    for start in range(0, max(len(body), 1), PART):
        part = body[start : start + PART]
        message = {"type": "http.response.body", "body": part, "more_body": more}
        await push(send, message)
