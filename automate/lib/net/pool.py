"""Idle connections, by origin: bounded in number, in hosts and in age."""

from __future__ import annotations

import select
import socket
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from time import monotonic

from urllib3.connection import HTTPConnection

from automate.lib.net.route import Route

# Scheme, host and port; for a request with a route of its own, that too.
Origin = tuple[str, str, int] | tuple[str, str, int, Route]
MOST_ORIGINS = 100
LONGEST_IDLE = 60.0
_SWEEP_EVERY = 5.0


@dataclass(slots=True, eq=False)
class Connection:
    """An open connection whose socket has passed the guard."""

    http: HTTPConnection
    sock: socket.socket
    origin: Origin
    idle_since: float = 0.0
    _poll: select.poll = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._poll = select.poll()
        self._poll.register(self.sock, select.POLLIN)

    def is_dropped(self) -> bool:
        """Whether the peer closed, or spoke unasked: in both cases don't use it."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        self.http.close()


class Pool:
    """Thread-safe; never blocks and never opens a connection itself."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._most_idle = size * 8
        self._idle_count = 0
        self._lock = threading.Lock()
        self._idle: OrderedDict[Origin, list[Connection]] = OrderedDict()
        self._next_sweep = monotonic() + _SWEEP_EVERY
        self._closed = False

    def take(self, origin: Origin) -> Connection | None:
        """The connection used last, if one is idle, young and still connected."""
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                if not idle:
                    return None
                connection = idle.pop()
                self._idle_count -= 1
            too_old = monotonic() - connection.idle_since > LONGEST_IDLE
            if not too_old and not connection.is_dropped():
                return connection
            connection.close()

    def give(self, connection: Connection) -> None:
        """Keep `connection` for reuse, or close it when there are enough."""
        now = connection.idle_since = monotonic()
        with self._lock:
            surplus = self._sweep(now) if now >= self._next_sweep else []
            idle = self._idle.setdefault(connection.origin, [])
            self._idle.move_to_end(connection.origin)
            if self._closed or len(idle) >= self._size:
                surplus.append(connection)
            else:
                idle.append(connection)
                self._idle_count += 1
            while len(self._idle) > MOST_ORIGINS or self._idle_count > self._most_idle:
                _, oldest = self._idle.popitem(last=False)
                self._idle_count -= len(oldest)
                surplus += oldest
        for each in surplus:
            each.close()

    def close(self) -> None:
        """Close what is idle, and from now on whatever is given back."""
        with self._lock:
            self._closed = True
            surplus = [each for idle in self._idle.values() for each in idle]
            self._idle.clear()
            self._idle_count = 0
        for each in surplus:
            each.close()

    def idle(self) -> dict[Origin, int]:
        """How many connections are idle, by origin."""
        with self._lock:
            return {origin: len(idle) for origin, idle in self._idle.items() if idle}

    def _sweep(self, now: float) -> list[Connection]:
        self._next_sweep = now + _SWEEP_EVERY
        old: list[Connection] = []
        for origin in list(self._idle):
            idle = self._idle[origin]
            young = [each for each in idle if now - each.idle_since <= LONGEST_IDLE]
            if len(young) == len(idle) and young:
                continue
            old += [each for each in idle if now - each.idle_since > LONGEST_IDLE]
            if young:
                self._idle[origin] = young
            else:
                del self._idle[origin]
        self._idle_count -= len(old)
        return old
