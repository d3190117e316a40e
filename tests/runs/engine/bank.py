"""A receiver that takes charges silently; asked later, it says what it knows."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.automate.lib.net.servers import Server, answer, read_request


class Bank(Server):
    """Takes POSTs and answers none of them; GETs are answered with `says`."""

    def __init__(self) -> None:
        self.says = answer(b"{}", "404 Not Found", "Content-Type: application/json")
        self.posts = b""  # the answer to a POST, when there is one
        super().__init__(self._serve_one)

    def _serve_one(self, sock: socket.socket, _: Server) -> None:
        while request := read_request(sock):
            self.requests.append(request)
            reply = self.posts if request.startswith(b"POST") else self.says
            if not reply:
                return
            sock.sendall(reply)

    def sent(self, method: str) -> list[bytes]:
        """The requests of this method."""
        return [item for item in self.requests if item.startswith(method.encode())]

    def knows(self, **body: Any) -> None:
        """From now on it says that it has the charge."""
        data = json.dumps(body).encode()
        self.says = answer(data, "200 OK", "Content-Type: application/json")


def key_of(request: bytes) -> bytes:
    """The idempotency key of a request as it was received; empty when it had none."""
    lines = request.split(b"\r\n")
    found = [line for line in lines if line.lower().startswith(b"idempotency-key:")]
    return found[0].split(b": ")[1] if found else b""
