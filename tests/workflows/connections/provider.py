"""A token endpoint and an API that believes its tokens, on real sockets."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import threading
from typing import Any
from urllib.parse import parse_qsl

from tests.automate.lib.net.servers import Server, answer, read_request


class Provider:
    """`/token` gives tokens, `/api` wants the latest of them.

    `answers` are given by the token endpoint before it works: (status, body) pairs.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: list[tuple[Any, ...]] = []
        self.life: Any = 3600
        self.given: list[str] = []
        self.asked: list[dict[str, str]] = []
        self.logins: list[str] = []
        self.calls: list[str] = []
        self.revoked: set[str] = set()
        self.hold = threading.Event()
        self.hold.set()
        self.echo = False
        self._numbers = itertools.count(1)
        self.server: Server = Server(self._handle, context)

    def _handle(self, sock: socket.socket, _: Server) -> None:
        while request := read_request(sock):
            head, body = request.split(b"\r\n\r\n", 1)
            lines = head.decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:])
            login = headers.get("Authorization", "")
            if lines[0].split(" ")[1] == "/token":
                sock.sendall(self._token(login, body.decode()))
            else:
                sock.sendall(self._api(login))

    def _token(self, login: str, body: str) -> bytes:
        self.asked.append(dict(parse_qsl(body)))
        self.logins.append(login)
        self.hold.wait(120)
        if self.answers:
            status, said, *more = self.answers.pop(0)
            text = said if isinstance(said, str) else json.dumps(said)
            return answer(text.encode(), status, *more)
        token = f"acc3ss-t0ken-{next(self._numbers)}"
        self.given.append(token)
        said = {"access_token": token, "token_type": "Bearer", "expires_in": self.life}
        return answer(json.dumps(said).encode())

    def _api(self, login: str) -> bytes:
        token = login.removeprefix("Bearer ")
        self.calls.append(token)
        if token not in self.given or token in self.revoked:
            return answer(b"who?", "401 Unauthorized")
        said = {"ok": True, "echo": login} if self.echo else {"ok": True}
        kind = "Content-Type: application/json"
        return answer(json.dumps(said).encode(), "200 OK", kind)

    @property
    def token_url(self) -> str:
        return f"{self.server.url}/token"

    @property
    def api(self) -> str:
        return f"{self.server.url}/api"

    def options(self, **changes: str) -> dict[str, str]:
        return {"token_url": self.token_url, "client_id": "us", **changes}

    def __enter__(self) -> Provider:
        self.server.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self.hold.set()
        self.server.__exit__(*args)
