"""Sockets to permitted addresses, and urllib3 connections that use no others."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from functools import cache, partial
from time import monotonic
from typing import Any
from weakref import WeakSet

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection

from automate.lib.net.errors import NetError
from automate.lib.net.guard import Policy, hint

Resolved = tuple[socket.AddressFamily, socket.SocketKind, int, tuple[Any, ...]]


class Sockets:
    """Every open socket of a client, so that another thread can shut them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: WeakSet[socket.socket] = WeakSet()
        self.aborted = False

    def add(self, sock: socket.socket) -> None:
        """Remember `sock`; NetError("reset") when all were shut already."""
        with self._lock:
            if self.aborted:
                raise NetError("reset", "the client was stopped", sent=False)
            self._live.add(sock)

    def shut(self) -> None:
        """End every blocked read and write, and refuse sockets from now on."""
        with self._lock:
            self.aborted = True
            live = list(self._live)
        for sock in live:
            try:
                # Not SSLSocket.shutdown: it drops the TLS layer first, and a thread
                # that is writing would go on in plain text.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:  # closed or not connected: nothing blocks on it
                continue


def resolve(
    policy: Policy, host: str, port: int, *, all_of_them: bool = False
) -> list[Resolved]:
    """The permitted addresses of `host`; NetError("name") or ("blocked") if none.

    With `all_of_them` one that is not permitted is enough to refuse: somebody else
    chooses among them.

    One call of getaddrinfo, which has no time-out of its own: a dead resolver may
    hold a thread for longer than the request's deadline (resolv.conf sets it).
    """
    try:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NetError("name", f"cannot resolve {host}: {reason}", sent=False) from None
    permitted: list[Resolved] = []
    refused: dict[str, str] = {}
    for family, kind, protocol, _, address in found:
        ip = str(address[0])
        reason = policy.check(ip)
        if reason is None:
            permitted.append((family, kind, protocol, address))
        else:
            refused[ip] = reason
    if permitted and not (refused and all_of_them):
        return permitted
    if not refused:
        raise NetError("name", f"{host} has no address", sent=False)
    what = ", ".join(f"{ip} is {reason}" for ip, reason in refused.items())
    of = "" if host in refused else f" (for {host})"
    raise NetError("blocked", f"{what}{of}: {hint(refused.values())}", sent=False)


def _connect(
    family: socket.AddressFamily,
    kind: socket.SocketKind,
    protocol: int,
    address: tuple[Any, ...],
    timeout: float | None,
    sockets: Sockets,
) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sockets.add(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def open_socket(
    policy: Policy, host: str, port: int, timeout: float | None, sockets: Sockets
) -> socket.socket:
    """A TCP connection to the first permitted address that answers.

    Addresses share the time that is left; NetError("connect") or ("timeout").
    """
    deadline = None if timeout is None else monotonic() + timeout
    addresses = resolve(policy, host, port)
    last: OSError | None = None
    for position, (family, kind, protocol, address) in enumerate(addresses):
        left = None
        if deadline is not None:
            left = (deadline - monotonic()) / (len(addresses) - position)
            if left <= 0:
                last = TimeoutError()
                break
        try:
            sock = _connect(family, kind, protocol, address, left, sockets)
        except OSError as error:
            last = error
            continue
        if deadline is not None:
            sock.settimeout(max(deadline - monotonic(), 0.001))
        return sock
    if isinstance(last, TimeoutError):
        raise NetError("timeout", f"no connection to {host}:{port} in time", sent=False)
    reason = (last.strerror if last else None) or str(last)
    message = f"cannot connect to {host}:{port}: {reason}"
    raise NetError("connect", message, sent=False) from last


Opener = Callable[[str, int, float | None], socket.socket]


class GuardedHTTPConnection(HTTPConnection):
    """urllib3's connection on a guarded socket; `connect` raises NetError.

    `opener` opens another one than `open_socket` would: through a proxy.
    """

    def __init__(
        self,
        *args: Any,
        policy: Policy,
        sockets: Sockets,
        opener: Opener | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._open = opener or partial(open_socket, policy, sockets=sockets)

    def _new_conn(self) -> socket.socket:
        return self._open(self._dns_host, self.port, self.timeout)


class GuardedHTTPSConnection(HTTPSConnection):
    """As above, then TLS by urllib3: verified, SNI and name check by host name."""

    def __init__(
        self,
        *args: Any,
        policy: Policy,
        sockets: Sockets,
        opener: Opener | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._sockets = sockets
        self._open = opener or partial(open_socket, policy, sockets=sockets)
        self._handle: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        sock = self._open(self._dns_host, self.port, self.timeout)
        # Wrapping moves the descriptor into an object that nobody sees until the
        # handshake is over; through a duplicate it can still be shut.
        self._handle = sock.dup()
        self._sockets.add(self._handle)
        return sock

    def connect(self) -> None:
        """Raises NetError: also "tls" for whatever breaks after TCP is connected."""
        try:
            super().connect()
            self._sockets.add(self.sock)
        except TimeoutError:
            message = f"no TLS connection to {self.host}:{self.port} in time"
            raise NetError("timeout", message, sent=False) from None
        except OSError as error:
            reason = getattr(error, "verify_message", "") or error.strerror or error
            message = f"no TLS connection to {self.host}:{self.port}: {reason}"
            raise NetError("tls", message, sent=False) from error
        finally:
            if self._handle is not None:
                self._handle.close()
                self._handle = None


@cache
def default_context() -> ssl.SSLContext:
    """What every request without TLS files of its own shares."""
    return fresh_context()


def fresh_context() -> ssl.SSLContext:
    """Trusts certifi's authorities and the system's (which SSL_CERT_FILE extends)."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context
