"""Bodies on their way in: here before a place is taken; given up when they stall."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib import arriving
from automate.lib.arriving import Arriving, Stalled, cut, read_first, reads


class Counting(io.BytesIO):
    """A body that counts what was read of it."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 7))


def seen(environ: dict[str, Any], most: int = 50) -> tuple[int, bytes]:
    """How much was here when the application was called, and all that it read."""
    found = []
    stream = environ["wsgi.input"]

    def application(environ: dict[str, Any], _start: Any) -> list[bytes]:
        found.append((stream.tell(), environ["wsgi.input"].read()))
        return []

    read_first(application, most)(environ, None)
    return found[0]


def chunks(body: bytes) -> dict[str, Any]:
    return {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input_terminated": True,
        "wsgi.input": Counting(body),
    }


def sized(body: bytes, length: int | None = None) -> dict[str, Any]:
    length = len(body) if length is None else length
    return {"CONTENT_LENGTH": str(length), "wsgi.input": Counting(body)}


@given(st.binary(max_size=120))
def test_what_arrives_is_what_was_sent(body: bytes) -> None:
    assert seen(chunks(body))[1] == body
    assert seen(sized(body))[1] == body


def test_a_body_is_here_before_the_application_is_called() -> None:
    assert seen(sized(b"x" * 50))[0] == 50
    assert seen(chunks(b"x" * 30))[0] == 30


def test_no_more_is_read_first_than_tells_that_it_is_too_much() -> None:
    assert seen(chunks(b"x" * 500))[0] == 51
    assert seen(sized(b"x" * 51))[0] == 0  # refused unread, or read on under a cap


def test_nothing_behind_the_announced_length_is_read() -> None:
    assert seen(sized(b"x" * 20 + b"next", length=20)) == (20, b"x" * 20)


@pytest.mark.parametrize(
    "environ",
    [{}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "0"}, {"CONTENT_LENGTH": "-5"},
     {"CONTENT_LENGTH": "abc"}, {"HTTP_TRANSFER_ENCODING": "chunked"}],
)  # fmt: skip
def test_without_a_body_the_request_stays_as_it_is(environ: dict[str, Any]) -> None:
    stream = environ["wsgi.input"] = io.BytesIO(b"belongs to the next request")
    read_first(lambda *_: [], 50)(environ, None)
    assert environ["wsgi.input"] is stream
    assert stream.tell() == 0


def test_lines_can_be_read_too() -> None:
    stream = Arriving(io.BytesIO(b"a\nb\nc"), 5, 3)
    assert [stream.readline(), stream.readline(), stream.readline()] == [
        b"a\n", b"b\n", b"c"
    ]  # fmt: skip


def test_a_connection_that_breaks_does_so_for_who_reads_so_far() -> None:
    class Broken:
        pieces = [b"half"]  # noqa: RUF012 - one test's

        def read(self, _size: int) -> bytes:
            if self.pieces:
                return self.pieces.pop()
            raise ConnectionResetError

    stream = Arriving(Broken(), 100, 100)
    assert stream.read(10) == b"half"
    with pytest.raises(ConnectionResetError):
        stream.read(10)


class Ours:
    """Our end of a connection, read as a server reads a body."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected

    def read(self, size: int) -> bytes:
        found = b""
        while len(found) < size and (piece := self._connected.recv(size - len(found))):
            found += piece
        return found


@pytest.fixture
def pairs() -> Iterator[tuple[int, list[tuple[socket.socket, socket.socket]]]]:
    """A port, and two connections to it: our end and theirs."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        found = []
        for _ in range(2):
            theirs = socket.create_connection(server.getsockname())
            ours, _ = server.accept()
            found.append((stack.enter_context(ours), stack.enter_context(theirs)))
        yield server.getsockname()[1], found


Pairs = tuple[int, list[tuple[socket.socket, socket.socket]]]


def test_a_stalled_sender_is_cut_and_another_is_not(pairs: Pairs) -> None:
    port, [(ours, theirs), (lively, sender)] = pairs
    theirs.sendall(b"half")
    raised: list[BaseException] = []

    def read() -> None:
        try:
            reads.read(Ours(ours), 100)
        except Stalled as error:
            raised.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    time.sleep(1)
    assert reads.longest() > 0.9
    sender.sendall(b"a")
    assert cut(port, 0.9) == 1
    thread.join(60)
    assert raised
    sender.sendall(b"b")
    assert Ours(lively).read(2) == b"ab"
    ours.sendall(b"HTTP/1.1 408")  # it can still be told why
    assert theirs.recv(100) == b"HTTP/1.1 408"
    assert reads.longest() == 0


def test_only_connections_to_the_port_are_cut(pairs: Pairs) -> None:
    port, [(ours, theirs), _] = pairs
    assert cut(theirs.getsockname()[1] + 1, -0.5) == 0
    theirs.sendall(b"a")
    assert Ours(ours).read(1) == b"a"
    assert cut(port, -0.5) == 2


def test_a_body_that_ends_by_itself_has_not_stalled() -> None:
    assert reads.read(io.BytesIO(b"half"), 100) == b"half"


def test_who_waits_for_an_answer_is_never_silent_for_so_long() -> None:
    from workflows.triggers.webhook_schema import LONGEST_WAIT

    assert arriving.STALLED > LONGEST_WAIT + arriving.LOOK
