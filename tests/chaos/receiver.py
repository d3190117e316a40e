"""The other side: a receiver on a socket that remembers each request's key."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter, defaultdict
from dataclasses import dataclass

from tests.automate.lib.net.servers import Server, answer, read_request


@dataclass(frozen=True, slots=True)
class Received:
    """One request: the run it came from, its key, and when, by the monotonic clock."""

    run: str
    key: str
    at: float


class Receiver(Server):
    """Answers each request with 200 after `delay` seconds."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.received: list[Received] = []
        super().__init__(_take)

    @property
    def runs(self) -> Counter[str]:
        """How many requests each run sent."""
        return Counter(item.run for item in self.received)

    @property
    def repeated(self) -> int:
        """How many requests were not the first of their run."""
        return len(self.received) - len(self.runs)

    @property
    def keys(self) -> dict[str, set[str]]:
        """The different keys that each run sent."""
        keys: dict[str, set[str]] = defaultdict(set)
        for item in self.received:
            keys[item.run].add(item.key)
        return dict(keys)

    def has_one_key_a_run(self) -> bool:
        """True when all requests of a run carried one key, and no two runs the same."""
        keys = [key for found in self.keys.values() for key in found]
        return len(keys) == len(set(keys)) == len(self.keys)


def _take(sock: socket.socket, server: Server) -> None:
    assert isinstance(server, Receiver)
    while request := read_request(sock):
        head, _, body = request.partition(b"\r\n\r\n")
        key = ""
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"idempotency-key":
                key = value.strip().decode()
        server.received.append(Received(json.loads(body)["run"], key, time.monotonic()))
        server.done.wait(server.delay)
        sock.sendall(answer(b"{}", "200 OK", "Content-Type: application/json"))
