"""Reading answers from a socket, well formed and otherwise."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.net.errors import NetError
from automate.lib.net.wire import Head, Wire

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def read(ends: Ends, data: bytes, method: str = "GET") -> tuple[Head, bytes, Wire]:
    """What a wire makes of `data` followed by the end of the stream."""
    ours, theirs = ends
    theirs.sendall(data)
    theirs.shutdown(socket.SHUT_WR)
    wire = Wire(ours, monotonic() + 60)
    head = wire.read_head(method)
    return head, b"".join(wire.read_body(head)), wire


def test_an_answer_with_a_length(ends: Ends) -> None:
    head, body, wire = read(
        ends, b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\nX-A:  b \r\n\r\nabc"
    )

    assert (head.status, body) == (201, b"abc")
    assert head.headers == [("Content-Length", "3"), ("X-A", "b")]
    assert head.keep_alive
    assert wire.is_clean


def test_bytes_after_the_answer_make_the_wire_unclean(ends: Ends) -> None:
    _, body, wire = read(ends, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab")

    assert body == b"a"
    assert not wire.is_clean


def test_a_chunked_answer_with_extensions_and_trailers(ends: Ends) -> None:
    head, body, wire = read(
        ends,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
    )

    assert body == b"abc0123456789"
    assert head.keep_alive
    assert wire.is_clean


def test_an_answer_without_a_length_ends_with_the_connection(ends: Ends) -> None:
    head, body, _ = read(ends, b"HTTP/1.1 200 OK\r\n\r\nto the end")

    assert body == b"to the end"
    assert not head.keep_alive
    assert head.is_open_ended


@pytest.mark.parametrize(
    ("status", "method"), [("204 x", "GET"), ("304 x", "GET"), ("200 OK", "HEAD")]
)
def test_an_answer_that_has_no_body_by_rule_reads_none(
    ends: Ends, status: str, method: str
) -> None:
    data = f"HTTP/1.1 {status}\r\nContent-Length: 10\r\n\r\n".encode()

    head, body, _ = read(ends, data, method)

    assert body == b""
    assert head.keep_alive


def test_interim_answers_are_passed_over(ends: Ends) -> None:
    head, body, _ = read(
        ends,
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )

    assert (head.status, body) == (200, b"ok")
    assert head.headers == [("Content-Length", "2")]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X, Close", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive", True),
        (b"HTTP/1.1 200\nContent-Length: 0", True),
    ],
)
def test_who_closes_is_read_from_version_and_connection(
    ends: Ends, head: bytes, expected: bool
) -> None:
    found, _, _ = read(ends, head + b"\r\n\r\n")

    assert found.keep_alive is expected


def test_chunked_wins_over_a_length_and_ends_the_connection(ends: Ends) -> None:
    head, body, _ = read(
        ends,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n",
    )

    assert body == b"ok"
    assert not head.keep_alive


def test_folded_and_broken_header_lines_do_no_harm(ends: Ends) -> None:
    head, _, _ = read(
        ends,
        b"HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\n"
        b"nonsense\r\nContent-Length : 0\r\n\r\n",
    )

    assert head.headers == [("X-A", "one two"), ("Content-Length", "0")]
    assert head.length == 0


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", "reset", "before its answer"),
        (b"HTTP/1.1 200 OK\r\nX", "reset", "in the middle of its answer"),
        (HEAD + b"Content-Length: 9\r\n\r\nabc", "reset", "after 3 of 9 bytes"),
        (CHUNKED + b"5\r\nabc", "reset", "after 3 of 5 bytes"),
        (CHUNKED + b"3\r\nabc\r\n", "reset", "middle of a chunked"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", "reset", "middle of a chunked"),
        (CHUNKED + b"-1\r\nabc", "protocol", "hexadecimal"),
        (CHUNKED + b"+1\r\nabc", "protocol", "hexadecimal"),
        (CHUNKED + b"0x1\r\na", "protocol", "hexadecimal"),
        (CHUNKED + b"\r\n", "protocol", "hexadecimal"),
        (CHUNKED + b"1\r\nabc\r\n", "protocol", "longer than its size"),
        (CHUNKED + b"0\r\n" + b"A: b\r\n" * 200, "protocol", "trailers"),
        (CHUNKED + b"0;" + b"x" * 200_000, "protocol", "too long"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "protocol", "not HTTP/1.x"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "protocol", "not HTTP/1.x"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "protocol", "not HTTP/1.x"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "protocol", "switched protocols"),
        (b"HTTP/1.1 100 C\r\n\r\n" * 40, "protocol", "interim"),
        (HEAD + b"Content-Length: x\r\n\r\n", "protocol", "Content-Length"),
        (HEAD + b"Content-Length: -1\r\n\r\n", "protocol", "Content-Length"),
        (HEAD + b"Content-Length: 1, 2\r\n\r\n", "protocol", "Content-Length"),
        (
            HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "protocol",
            "Content-Length",
        ),
        (HEAD + b"A: b\r\n" * 101 + b"\r\n", "protocol", "more than 100"),
        (HEAD + b"A: " + b"b" * 70_000 + b"\r\n\r\n", "protocol", "too long"),
        (HEAD + b"A: " + b"b" * 400_000, "protocol", "too large"),
    ],
)
def test_a_bad_answer_is_an_error_that_says_what_was_bad(
    ends: Ends, data: bytes, kind: str, reason: str
) -> None:
    ours, theirs = ends

    def feed() -> None:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)

    feeder = threading.Thread(target=feed)
    feeder.start()
    wire = Wire(ours, monotonic() + 60)
    try:
        with pytest.raises(NetError, match=reason) as caught:
            b"".join(wire.read_body(wire.read_head("GET")))
    finally:
        while ours.recv(65_536):
            pass
        feeder.join(60)

    assert (caught.value.kind, caught.value.sent) == (kind, True)


def test_the_same_length_twice_is_one_length(ends: Ends) -> None:
    head, body, _ = read(
        ends, HEAD + b"Content-Length: 2\r\nContent-Length: 2, 2\r\n\r\nok"
    )

    assert (head.length, body) == (2, b"ok")


@pytest.mark.parametrize("data", [HEAD + b"Content-Length: 500\r\n\r\n", b""])
def test_a_drip_ends_at_the_deadline(ends: Ends, data: bytes) -> None:
    ours, theirs = ends
    theirs.sendall(data)
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            theirs.send(b"a")

    dripper = threading.Thread(target=drip)
    dripper.start()
    started = monotonic()
    wire = Wire(ours, started + 0.3)
    try:
        with pytest.raises(TimeoutError):
            b"".join(wire.read_body(wire.read_head("GET")))
        assert 0.25 < monotonic() - started < 20
    finally:
        stop.set()
        dripper.join(60)


def test_a_receiver_that_does_not_read_ends_at_the_deadline(ends: Ends) -> None:
    ours, _ = ends
    much = b"x" * 50_000_000
    started = monotonic()
    wire = Wire(ours, started + 1)

    with pytest.raises(TimeoutError):
        wire.send(much)

    assert wire.sent
    assert monotonic() - started < 20


def test_a_large_request_arrives_whole(ends: Ends) -> None:
    ours, theirs = ends
    data = bytes(range(256)) * 20_000
    received = bytearray()

    def receive() -> None:
        while len(received) < len(data):
            received.extend(theirs.recv(65_536))
            time.sleep(0)

    receiver = threading.Thread(target=receive)
    receiver.start()
    Wire(ours, monotonic() + 60).send(data)
    receiver.join(60)

    assert received == data


def test_nothing_is_sent_after_the_deadline(ends: Ends) -> None:
    ours, theirs = ends
    wire = Wire(ours, monotonic() - 1)

    with pytest.raises(TimeoutError):
        wire.send(b"x")

    assert not wire.sent
    ours.close()
    assert theirs.recv(1) == b""


def test_a_send_that_the_kernel_refuses_has_sent_nothing(ends: Ends) -> None:
    ours, theirs = ends
    theirs.close()
    wire = Wire(ours, monotonic() + 60)

    with pytest.raises(BrokenPipeError):
        wire.send(b"x")

    assert not wire.sent


@given(data=st.binary(max_size=300), is_chunked=st.booleans())
def test_any_bytes_are_an_answer_or_a_net_error(data: bytes, is_chunked: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall((CHUNKED if is_chunked else b"HTTP/1.1 ") + data)
        theirs.shutdown(socket.SHUT_WR)
        wire = Wire(ours, monotonic() + 60)
        failed: NetError | None = None
        try:
            b"".join(wire.read_body(wire.read_head("GET")))
        except NetError as error:
            failed = error

    assert failed is None or (failed.sent and failed.kind in {"protocol", "reset"})


@given(
    body=st.binary(max_size=500),
    cuts=st.lists(st.integers(0, 600), max_size=6),
    is_chunked=st.booleans(),
)
def test_how_an_answer_is_cut_into_packets_changes_nothing(
    body: bytes, cuts: list[int], is_chunked: bool
) -> None:
    if is_chunked:
        chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        raw = CHUNKED + chunk + b"0\r\n\r\n"
    else:
        raw = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, monotonic() + 60)

        def feed() -> None:
            places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
            for start, end in pairwise(places):
                theirs.sendall(raw[start:end])

        feeder = threading.Thread(target=feed)
        feeder.start()
        head = wire.read_head("GET")
        found = b"".join(wire.read_body(head))
        feeder.join(60)

    assert found == body
    assert wire.is_clean
