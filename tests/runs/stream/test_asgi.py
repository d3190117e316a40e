"""The connection of a reader who does not read is ended, and no other."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from runs.stream.asgi import cut


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_one_client_is_cut_off_whatever_waits_to_be_sent(
    family: socket.AddressFamily, address: str
) -> None:
    with (
        socket.create_server((address, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as lazy,
        socket.create_connection(listener.getsockname()[:2]) as other,
        listener.accept()[0] as to_lazy,
        listener.accept()[0] as to_other,
        socket.socket(socket.AF_UNIX),
    ):
        to_lazy.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while to_lazy.send(bytes(65_536)):
                pass
        before = sorted(Path("/dev/fd").iterdir())

        host, port, *_ = lazy.getsockname()
        cut((host, str(port)))

        with pytest.raises(BrokenPipeError):
            to_lazy.send(b"more")
        to_other.sendall(b"for who reads")
        assert other.recv(100) == b"for who reads"
        assert sorted(Path("/dev/fd").iterdir()) == before
