"""One HTTP/1.1 exchange on an open socket, under one deadline (RFC 9112).

Why not http.client's response: it takes a chunk size of -1 for "all there is", 103 for
a final answer, a short body for a whole one, and parses headers as e-mail, which is
half of the CPU of a small request.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from automate.lib.net.errors import NetError

# http.client's limits for a line and the number of fields, and one for the whole.
_LONGEST_LINE = 65_536
_MOST_FIELDS = 100
_LONGEST_HEAD = 262_144
_MOST_INTERIM = 32
_CHUNK = 65_536
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: .*)?", re.DOTALL)
_DIGITS = re.compile(r"[0-9]{1,18}")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,15}")


@dataclass(slots=True)
class Head:
    """A final answer's head; `length` None means chunked or until the end."""

    status: int
    headers: list[tuple[str, str]]
    keep_alive: bool
    chunked: bool
    length: int | None
    encoding: str

    @property
    def is_open_ended(self) -> bool:
        """Whether only the connection's end tells where the body ends."""
        return self.length is None and not self.chunked


class Wire:
    """Sends one request and reads its answer; TimeoutError when the deadline is over.

    OSError and ssl.SSLError pass through; what the peer did wrong is a NetError.
    """

    __slots__ = ("_armed", "_buffer", "_deadline", "_sock", "sent")

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._armed = -1.0
        self._buffer = bytearray()
        self.sent = False

    @property
    def is_clean(self) -> bool:
        """Whether nothing was read beyond the answer's end."""
        return not self._buffer

    def send(self, data: bytes) -> None:
        """All of `data`; `sent` turns True as soon as a byte may have left."""
        if isinstance(self._sock, ssl.SSLSocket):
            self.sent = True
        self._arm()
        done = self._sock.send(data)
        self.sent = True
        if done < len(data):
            view = memoryview(data)
            while done < len(data):
                self._arm()
                done += self._sock.send(view[done:])

    def read_head(self, method: str) -> Head:
        """The final answer's head; interim answers (1xx) are passed over."""
        for _ in range(_MOST_INTERIM):
            head = _parse_head(self._read_block(), method)
            if head.status >= 200:
                return head
            if head.status == 101:
                raise _wrong("the server switched protocols without being asked")
        raise _wrong(f"more than {_MOST_INTERIM} interim answers")

    def read_body(self, head: Head) -> Iterator[bytes]:
        """The body's bytes without framing; NetError("reset") when it ends early."""
        if head.chunked:
            return self._read_chunked()
        if head.length is None:
            return self._read_to_end()
        return self._read_length(head.length)

    def _arm(self) -> None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        # A system call less for most reads; late by a hundredth of a second at most.
        if not left <= self._armed <= left + 0.01:
            self._sock.settimeout(left)
            self._armed = left

    def _fill(self) -> bool:
        """More bytes into the buffer; False at the end of the stream."""
        self._arm()
        data = self._sock.recv(_CHUNK)
        self._buffer += data
        return bool(data)

    def _read_block(self) -> str:
        buffer = self._buffer
        start = 0
        while not (match := _END_OF_HEAD.search(buffer, start)):
            if len(buffer) > _LONGEST_HEAD:
                raise _wrong("the answer's head is too large")
            start = max(0, len(buffer) - 3)
            if not self._fill():
                where = "in the middle of" if buffer else "before"
                raise _cut(f"the server closed the connection {where} its answer")
        block = buffer[: match.start()].decode("latin-1")
        del buffer[: match.end()]
        return block

    def _read_length(self, length: int) -> Iterator[bytes]:
        left = length
        while left:
            if not self._buffer and not self._fill():
                raise _cut(
                    f"the connection closed after {length - left} of {length} bytes"
                )
            data = bytes(self._buffer[:left])
            del self._buffer[:left]
            left -= len(data)
            yield data

    def _read_to_end(self) -> Iterator[bytes]:
        while self._buffer or self._fill():
            data = bytes(self._buffer)
            self._buffer.clear()
            yield data

    def _read_chunked(self) -> Iterator[bytes]:
        while True:
            size = self._read_line().partition(b";")[0].strip()
            if not _HEX.fullmatch(size):
                raise _wrong("a chunk's size is not a hexadecimal number")
            left = int(size, 16)
            if not left:
                break
            yield from self._read_length(left)
            if self._read_line():
                raise _wrong("a chunk is longer than its size")
        for _ in range(_MOST_FIELDS):
            if not self._read_line():
                return
        raise _wrong("too many trailers")

    def _read_line(self) -> bytes:
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            if start > _LONGEST_LINE:
                raise _wrong("a line of the answer is too long")
            if not self._fill():
                raise _cut("the connection closed in the middle of a chunked answer")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")


def _parse_head(block: str, method: str) -> Head:
    lines = block.replace("\r\n", "\n").split("\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise _wrong("the answer is not HTTP/1.x")
    status = int(match[2])
    headers = _parse_fields(lines)
    connection = encoding = transfer = ""
    length: int | None = None
    for name, value in headers:
        lower = name.lower()
        if lower == "content-length":
            length = _parse_length(value, length)
        elif lower == "transfer-encoding":
            transfer = f"{transfer},{value.lower()}"
        elif lower == "connection":
            connection = f"{connection},{value.lower()}"
        elif lower == "content-encoding":
            encoding = f"{encoding},{value.lower()}".strip(", ")
    keep_alive = "keep-alive" in connection if match[1] == "0" else True
    keep_alive = keep_alive and "close" not in connection
    chunked = False
    if status in (204, 304) or status < 200 or method == "HEAD":
        length = 0
    elif transfer:
        # With both, the length lies (RFC 9112, 6.3): don't use the connection again.
        chunked = transfer.rpartition(",")[2].strip() == "chunked"
        keep_alive = keep_alive and chunked and length is None
        length = None
    elif length is None:
        keep_alive = False
    return Head(status, headers, keep_alive, chunked, length, encoding)


def _parse_fields(lines: list[str]) -> list[tuple[str, str]]:
    if len(lines) > _MOST_FIELDS + 1:
        raise _wrong(f"the answer has more than {_MOST_FIELDS} header lines")
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        if len(line) > _LONGEST_LINE:
            raise _wrong("a header line of the answer is too long")
        if line.startswith((" ", "\t")) and headers:
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name.strip(), value.strip(" \t\r")))
    return headers


def _parse_length(value: str, before: int | None) -> int:
    length = before
    for part in value.split(","):
        number = part.strip()
        if not _DIGITS.fullmatch(number) or length not in (None, int(number)):
            raise _wrong("the answer's Content-Length is not one number")
        length = int(number)
    assert length is not None  # noqa: S101 - split never returns an empty list
    return length


def _wrong(message: str) -> NetError:
    return NetError("protocol", message, sent=True)


def _cut(message: str) -> NetError:
    return NetError("reset", message, sent=True)
