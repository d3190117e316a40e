"""Bodies on their way in: read before a place is taken, and given up when they stall.

A sender that stops half-way holds a thread in the server's `read`, which has no time
limit (https://github.com/emmett-framework/granian/issues/728: there will be none). It
must hold nothing dearer than that, and not for ever.
"""

from __future__ import annotations

import io
import logging
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

Application = Callable[..., Iterable[bytes]]

PIECE = 64 * 1024
# Seconds without a byte either way: longer than any sender is kept waiting for an
# answer (30), so that no connection that is cut can be one of theirs.
STALLED = 45.0
LOOK = 5.0
_LAST_SENT = 44  # where struct tcp_info of Linux has tcpi_last_data_sent


class Stalled(OSError):
    """The sender stopped sending, and its connection was cut."""


class _Reads:
    """The reads that threads of this process are in, and since when."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self.cuts = 0

    def read(self, stream: Any, size: int) -> bytes:
        """As the stream's. Raises Stalled for an end that we have made ourselves."""
        thread, cuts = threading.get_ident(), self.cuts
        self._since[thread] = time.monotonic()
        try:
            piece: bytes = stream.read(size)
        finally:
            del self._since[thread]
        if len(piece) < size and self.cuts != cuts:
            raise Stalled("the body stopped coming")
        return piece

    def longest(self) -> float:
        """Seconds that the longest read has taken until now."""
        began = min(list(self._since.values()), default=None)
        return 0.0 if began is None else time.monotonic() - began


reads = _Reads()


class Arriving(io.RawIOBase):
    """`wsgi.input` whose first bytes are here; `length` None: its end will tell.

    `whole` is the number of its bytes when all of them are here, else None.
    """

    def __init__(self, stream: Any, length: int | None, first: int) -> None:
        self._stream = stream
        self._left = length
        self._here: list[bytes] = []
        self._broken: OSError | None = None
        self.whole: int | None = None
        left = first
        try:
            while left > 0 and (piece := self._next(min(PIECE, left))):
                left -= len(piece)
                self._here.append(piece)
            if left > 0:
                self.whole = first - left
        except OSError as error:
            self._broken = error  # for whoever reads so far
        self._here.reverse()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """`size` bytes, or all that is left when that is less or `size` negative.

        Never fewer before the end: Django does not ask again.
        """
        pieces: list[bytes] = []
        try:
            while size and (piece := self._some(PIECE if size < 0 else size)):
                pieces.append(piece)
                size -= len(piece) if size > 0 else 0
        except OSError as error:
            if not pieces:
                raise
            self._broken = error  # told after what came before it
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _some(self, size: int) -> bytes:
        if self._here:
            piece = self._here.pop()
            if len(piece) > size:
                self._here.append(piece[size:])
            return piece[:size]
        if self._broken is not None:
            raise self._broken
        return self._next(size)

    def _next(self, size: int) -> bytes:
        size = size if self._left is None else min(size, self._left)
        if size == 0:
            return b""
        piece = reads.read(self._stream, size)
        if self._left is not None:
            self._left -= len(piece)
        return piece


def read_first(application: Application, most: int) -> Application:
    """The application, called when up to `most` bytes of the body are here.

    What is announced as larger is left to the application, which may refuse it unread.
    Django takes a body of chunks, which has no length, for none at all: it is told how
    many bytes are here, or one more than `most` when there are more.
    """

    def served(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        length = _length(environ)
        if length != 0:
            # Of chunks one byte more than permitted: it tells that they are too many.
            first = most + 1 if length is None else length if length <= most else 0
            arrived = Arriving(environ["wsgi.input"], length, first)
            environ["wsgi.input"] = arrived
            if length is None:
                told = most + 1 if arrived.whole is None else arrived.whole
                environ["CONTENT_LENGTH"] = str(told)
        return application(environ, start)

    return served


def _length(environ: Mapping[str, Any]) -> int | None:
    """The announced length; None for chunks, 0 where there is nothing to read."""
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return None if environ.get("wsgi.input_terminated") else 0
    text = environ.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def watch(port: int) -> None:
    """Begin to cut connections to this port whose senders have stalled (Linux)."""
    if sys.platform == "linux":
        threading.Thread(
            target=_watch, args=(port,), name="stalled", daemon=True
        ).start()


def _watch(port: int) -> None:
    while True:
        time.sleep(LOOK)
        if reads.longest() > STALLED:
            logger.info("cut %d connections without traffic", cut(port, STALLED))


def cut(port: int, seconds: float) -> int:
    """End the receiving side of connections to our port that are silent for so long.

    The thread that reads a body gets its end, and can still answer. Connections that
    are only kept open between requests end too, as clients must expect (RFC 9112,
    section 9.3). Returns how many.
    """
    reads.cuts += 1
    count = 0
    for path in Path("/proc/self/fd").iterdir():
        try:
            if not str(path.readlink()).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(path.name))) as found:
                if _silence(found, port) > seconds:
                    found.shutdown(socket.SHUT_RD)
                    count += 1
        except OSError:
            continue  # not connected, or gone by now
    return count


def _silence(found: socket.socket, port: int) -> float:
    """Seconds since a byte was sent or received; -1 for what is no connection to us."""
    families = (socket.AF_INET, socket.AF_INET6)
    if found.family not in families or found.type != socket.SOCK_STREAM:
        return -1
    if found.getsockname()[1] != port:
        return -1  # ours to a database or a receiver
    found.getpeername()  # raises for one that listens
    info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 72)
    sent, received = struct.unpack_from("=I4xI", info, _LAST_SENT)
    return float(min(sent, received)) / 1000
