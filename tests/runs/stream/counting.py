"""A relay before PostgreSQL that counts what clients ask (its frontend protocol)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

# Query, and Execute of the extended protocol: one each for a statement.
ASKING = (b"Q", b"E")


class Relay:
    """Listens on `port`; `asked` are the moments of statements (`time.monotonic`)."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self.asked: list[float] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.is_away = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_away:
                    client.close()
                    continue
                server = self._connect()
                self._open |= {client, server}
                for work, one, other in (
                    (self._forth, client, server),
                    (self._back, server, client),
                ):
                    threading.Thread(
                        target=work, args=(one, other), daemon=True
                    ).start()

    def _connect(self) -> socket.socket:
        if self._to[0].startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._to[0]}/.s.PGSQL.{self._to[1]}")
            return server
        return socket.create_connection(self._to)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(65_536):
                client.sendall(piece)
        self._end(server, client)

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        """Pass messages on and count; the first of a connection has no type."""
        with contextlib.suppress(OSError):
            buffer, first = b"", True
            while piece := client.recv(65_536):
                server.sendall(piece)
                buffer += piece
                while len(buffer) >= (4 if first else 5):
                    begin = 0 if first else 1
                    size = int.from_bytes(buffer[begin : begin + 4]) + begin
                    if len(buffer) < size:
                        break
                    if not first and buffer[:1] in ASKING:
                        self.asked.append(time.monotonic())
                    # SSLRequest and GSSENCRequest come before the startup message.
                    first = first and size == 8
                    buffer = buffer[size:]
        self._end(client, server)

    def _end(self, *ends: socket.socket) -> None:
        for one in ends:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            self._open.discard(one)

    def go_away(self) -> None:
        """Cut every connection, and take no further one until `come_back`."""
        self.is_away = True
        self._end(*list(self._open))

    def come_back(self) -> None:
        self.is_away = False

    def close(self) -> None:
        self._listener.close()
        self._end(*list(self._open))
