"""The benchmark's receiver: answers POSTs after a delay and notes when each came.

`python -m benchmarks.receiver PORT`. `POST /take/<milliseconds>` with a JSON body that
begins `{"n":<number>`; `GET /stats` gives `{number: monotonic seconds}` of the first
arrival of each number and the count of all; `POST /reset` forgets.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import re
import sys
import time

_NUMBER = re.compile(rb'"n":\s*(\d+)')
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_OK = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"
    b'{"ok":true}'
)

arrivals: dict[int, float] = {}
count = 0


class Receiver(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little of it as the benchmark needs."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end]
            match = _LENGTH.search(head)
            length = int(match.group(1)) if match else 0
            total = end + 4 + length
            if len(self._buffer) < total:
                return
            body, self._buffer = self._buffer[end + 4 : total], self._buffer[total:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        global count
        method, path, _ = head.split(b" ", 2)
        assert self._transport is not None
        if method == b"GET":
            text = json.dumps({"count": count, "arrivals": arrivals}).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text
            )
            return
        if path == b"/reset":
            arrivals.clear()
            count = 0
            self._transport.write(_OK)
            return
        count += 1
        match = _NUMBER.search(body)
        if match:
            arrivals.setdefault(int(match.group(1)), time.monotonic())
        delay = int(path.rsplit(b"/", 1)[-1] or b"0") / 1000
        if delay:
            asyncio.get_running_loop().call_later(delay, self._transport.write, _OK)
        else:
            self._transport.write(_OK)


async def main(port: int) -> None:
    """Serve until killed."""
    gc.freeze()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Receiver, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
