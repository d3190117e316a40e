"""Receivers on real sockets that behave as badly as a test needs."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from time import monotonic
from types import TracebackType

Handler = Callable[[socket.socket, "Server"], None]


def read_request(sock: socket.socket) -> bytes:
    """One whole request (head and Content-Length body); b"" at the stream's end."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65_536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += sock.recv(65_536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes = b"ok", status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer with its Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(*parts: bytes, close: bool = False) -> Handler:
    """Answer each request on a connection with `parts`, then perhaps close it."""

    def handle(sock: socket.socket, server: Server) -> None:
        while request := read_request(sock):
            server.requests.append(request)
            for part in parts:
                sock.sendall(part)
            if close:
                return

    return handle


def silent(_: socket.socket, server: Server) -> None:
    """Accept, and say nothing until the test is over."""
    server.done.wait(300)


def stall(sock: socket.socket, server: Server) -> None:
    """Read one request, and never answer it."""
    server.requests.append(read_request(sock))
    server.done.wait(300)


def proxying(login: str = "", status: str = "200 OK") -> Handler:
    """A forward proxy: CONNECT, and plain requests in absolute form.

    Reaches what loopback has at the asked port, whatever the name. `login` is the
    Proxy-Authorization that it wants, `status` what it answers to CONNECT.
    """

    def handle(sock: socket.socket, server: Server) -> None:
        while request := read_request(sock):
            server.requests.append(request)
            line, _, rest = request.partition(b"\r\n")
            method, target, _ = line.decode().split(" ")
            if login and f"Proxy-Authorization: {login}".encode() not in rest:
                sock.sendall(answer(b"", "407 Proxy Authentication Required"))
                continue
            where = target.removeprefix("http://").partition("/")[0]
            onward = socket.create_connection(
                ("127.0.0.1", int(where.rpartition(":")[2]))
            )
            with onward:
                server.keep(onward)
                if method == "CONNECT":
                    sock.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
                    back = threading.Thread(target=_relay, args=(onward, sock))
                    back.start()
                    _relay(sock, onward)
                    back.join(60)
                    return
                onward.sendall(request)
                sock.sendall(onward.recv(65_536))

    return handle


def _relay(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class Server:
    """Accepts on loopback and runs `handler` in a thread for each connection."""

    def __init__(
        self,
        handler: Handler,
        context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self._handler = handler
        self._context = context
        self._listener = socket.create_server((host, 0), backlog=64)
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self.done = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        scheme = "https" if context else "http"
        self.url = f"{scheme}://{host}:{self.port}"
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(sock)
            if self._context:
                wrapped = self._context.wrap_socket(sock, server_side=True)
                self._open.append(wrapped)
                sock = stack.enter_context(wrapped)
            self._handler(sock, self)

    def keep(self, sock: socket.socket) -> None:
        """End this socket too when the test is over."""
        self._open.append(sock)

    def wait_for_requests(self, count: int) -> None:
        """Return when `count` requests have arrived."""
        give_up = monotonic() + 60
        while len(self.requests) < count and monotonic() < give_up:
            time.sleep(0.01)

    def wait_closed(self) -> None:
        """Return when the handler of every connection so far has ended."""
        for thread in self._threads:
            thread.join(60)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.done.set()
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(60)
