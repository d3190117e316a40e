"""Clients of the stream listener for tests: real connections, read as they come."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Told(NamedTuple):
    """One event; `id` is the last that was sent until then."""

    kind: str
    data: Any
    id: str


class Events:
    """A reader of `text/event-stream` (WHATWG HTML, section 9.2.6)."""

    def __init__(self, url: str, timeout: float = 90, **headers: str) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.netloc, timeout=timeout)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        self._connection.request("GET", parts.path, headers=named)
        self.answer = self._connection.getresponse()
        self.status = self.answer.status
        self.last_id = ""
        self.comments = 0

    def json(self) -> Any:
        """The body of a refusal."""
        return json.loads(self.answer.read())

    def next(self) -> Told | None:
        """The next event; None when the stream has ended."""
        kind = "message"
        data: list[str] = []
        while line := self.answer.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if not name and not value and data:
                return Told(kind, json.loads("\n".join(data)), self.last_id)
            if line.startswith(":"):
                self.comments += 1
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "id":
                self.last_id = value
        return None

    def until(self, holds: Callable[[Told], bool]) -> list[Told]:
        """All events up to the first of which it holds."""
        told = []
        while event := self.next():
            told.append(event)
            if holds(event):
                return told
        raise AssertionError(f"the stream ended after {told}")

    def rest(self) -> list[Told]:
        """All events until the end."""
        told = []
        while event := self.next():
            told.append(event)
        return told

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


class Socket:
    """A WebSocket client (RFC 6455), as small as a test needs it."""

    def __init__(
        self, url: str, headers: Mapping[str, str] = {}, timeout: float = 90
    ) -> None:
        parts = urlsplit(url)
        address = (parts.hostname or "", parts.port or 80)
        self._socket = socket.create_connection(address, timeout=timeout)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", f"Sec-WebSocket-Key: {key}"]
        lines += ["Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass
        self.code, self.reason = 0, ""

    def next(self) -> Any:
        """The next message as JSON; None when it was closed, with `code`."""
        while head := self._file.read(2):
            size = head[1] & 127
            if size == 126:
                (size,) = struct.unpack("!H", self._file.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._file.read(8))
            payload, opcode = self._file.read(size), head[0] & 15
            if opcode == 8:
                self.code, self.reason = (
                    int.from_bytes(payload[:2]),
                    payload[2:].decode(),
                )
                return None
            if opcode == 1:
                return json.loads(payload)
        return None

    def rest(self) -> list[Any]:
        """All messages until the end."""
        told = []
        while (message := self.next()) is not None:
            told.append(message)
        return told

    def send(self, text: str, times: int = 1) -> None:
        """Masked text frames, of fewer than 126 bytes each, in one go."""
        payload = text.encode()
        frame = bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload
        self._socket.sendall(frame * times)

    def close(self) -> None:
        self._file.close()
        self._socket.close()
