"""The client against receivers that answer, break, stall and lie."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from contextlib import closing
from time import monotonic

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Received
from werkzeug import Response as Reply

from automate.lib.net import Client, Policy, Request
from automate.lib.net.pool import Connection
from tests.automate.lib.net.asking import failure, get
from tests.automate.lib.net.servers import (
    Server,
    always,
    answer,
    read_request,
    silent,
)


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_request_arrives_as_it_was_given(
    client: Client, httpserver: HTTPServer
) -> None:
    def handler(request: Received) -> Reply:
        seen = {
            "method": request.method,
            "query": request.query_string.decode(),
            "key": request.headers["Idempotency-Key"],
            "agent": request.headers["User-Agent"],
            "host": request.headers["Host"],
            "body": request.get_data(as_text=True),
        }
        return Reply(json.dumps(seen), 202, {"X-Seen": "yes"})

    httpserver.expect_request("/hook").respond_with_handler(handler)
    url = httpserver.url_for("/hook") + "?a=1"

    response = client.send(
        Request("PUT", url, {"Idempotency-Key": "k1"}, "h\u00e9".encode())
    )

    assert response.status == 202
    assert ("X-Seen", "yes") in response.headers
    assert response.url == url
    assert not response.truncated
    assert 0 < response.duration < 60
    assert json.loads(response.body) == {
        "method": "PUT",
        "query": "a=1",
        "key": "k1",
        "agent": "Automate",
        "host": f"{httpserver.host}:{httpserver.port}",
        "body": "h\u00e9",
    }


@pytest.mark.parametrize("status", [200, 204, 304, 400, 404, 410, 429, 500, 503])
def test_any_status_is_a_response(client: Client, status: int) -> None:
    raw = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()
    with Server(always(raw)) as server:
        assert get(client, server.url).status == status


def test_a_head_request_has_no_body_and_keeps_its_connection(client: Client) -> None:
    with Server(always(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")) as server:
        for _ in range(2):
            assert get(client, server.url, method="HEAD").body == b""
        assert server.connections == 1


def test_a_connection_is_reused(client: Client) -> None:
    with Server(always(answer())) as server:
        for _ in range(5):
            assert get(client, server.url, method="POST", body=b"x").body == b"ok"

        assert server.connections == 1
        assert len(server.requests) == 5


@pytest.mark.parametrize(
    "raw",
    [
        answer(b"ok", "200 OK", "Connection: close"),
        answer(b"ok") + b"surplus",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["close", "surplus", "1.0"],
)
def test_a_connection_that_must_not_be_reused_is_not(
    client: Client, raw: bytes
) -> None:
    with Server(always(raw)) as server:
        for _ in range(2):
            assert get(client, server.url).body == b"ok"
        assert server.connections == 2


def test_a_server_that_closed_the_idle_connection_costs_nothing(
    client: Client,
) -> None:
    with Server(always(answer(), close=True)) as server:
        for number in range(1, 4):
            assert get(client, server.url, method="POST", body=b"x").status == 200
            server.wait_closed()
            assert len(server.requests) == number


def test_a_request_that_may_have_been_processed_is_never_repeated(
    client: Client,
) -> None:
    def once(sock: socket.socket, server: Server) -> None:
        server.requests.append(read_request(sock))
        sock.sendall(answer())
        server.requests.append(read_request(sock))

    with Server(once) as server:
        get(client, server.url, method="POST", body=b"1")
        error = failure(client, server.url, method="POST", body=b"2")

        assert (error.kind, error.sent) == ("reset", True)
        assert "before its answer" in str(error)
        assert [each[-1:] for each in server.requests] == [b"1", b"2"]


def test_a_send_that_no_byte_of_left_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer resets between the look at the idle connection and the send."""

    def once(sock: socket.socket, _: Server) -> None:
        read_request(sock)
        sock.sendall(answer())
        reset(sock)

    with Server(once) as server:
        get(client, server.url)
        server.wait_closed()
        monkeypatch.setattr(Connection, "is_dropped", lambda _: False)
        error = failure(client, server.url, method="POST", body=b"x")

    assert (error.kind, error.sent) == ("reset", False)
    assert str(error).startswith("the connection broke: ")


def test_a_reset_before_the_answer(client: Client) -> None:
    def handle(sock: socket.socket, _: Server) -> None:
        read_request(sock)
        reset(sock)

    with Server(handle) as server:
        error = failure(client, server.url)

    assert (error.kind, error.sent) == ("reset", True)


def test_a_reset_in_the_middle_of_the_answer(client: Client) -> None:
    def handle(sock: socket.socket, _: Server) -> None:
        read_request(sock)
        sock.sendall(answer(b"x" * 1000)[:-500])
        threading.Event().wait(0.1)
        reset(sock)

    with Server(handle) as server:
        error = failure(client, server.url)

    assert (error.kind, error.sent) == ("reset", True)


def test_half_an_answer(client: Client) -> None:
    with Server(always(answer(b"x" * 10)[:-4], close=True)) as server:
        error = failure(client, server.url)

    assert (error.kind, error.sent) == ("reset", True)
    assert "after 6 of 10 bytes" in str(error)


def test_something_that_is_not_http(client: Client) -> None:
    with Server(always(b"220 mail.example ESMTP\r\n\r\n")) as server:
        error = failure(client, server.url)

    assert (error.kind, error.sent) == ("protocol", True)


def test_silence_ends_at_the_deadline(client: Client) -> None:
    started = monotonic()
    with Server(silent) as server:
        error = failure(client, server.url, timeout=1.0)

        assert (error.kind, error.sent) == ("timeout", True)
        assert str(error) == "no full answer within 1 s"
        assert monotonic() - started < 20


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"],
    ids=["headers", "body"],
)
def test_a_drip_ends_at_the_deadline(client: Client, start: bytes) -> None:
    def drip(sock: socket.socket, server: Server) -> None:
        read_request(sock)
        sock.sendall(start)
        while not server.done.wait(0.05):
            sock.sendall(b"a")

    started = monotonic()
    with Server(drip) as server:
        error = failure(client, server.url, timeout=1.0)

        assert (error.kind, error.sent) == ("timeout", True)
        assert 0.9 < monotonic() - started < 20


def test_a_deadline_that_is_over_sends_nothing(client: Client) -> None:
    with Server(always(answer())) as server:
        get(client, server.url)
        for url in (server.url, "http://127.0.0.9/"):
            error = failure(client, url, timeout=0)
            assert (error.kind, error.sent) == ("timeout", False)
        assert len(server.requests) == 1


def test_a_huge_body_is_cut_and_its_connection_dropped(client: Client) -> None:
    with Server(always(answer(b"x" * 5_000_000))) as server:
        response = get(client, server.url, max_response=1000)
        again = get(client, server.url, max_response=5_000_000)

        assert (response.body, response.truncated) == (b"x" * 1000, True)
        assert (len(again.body), again.truncated) == (5_000_000, False)
        assert server.connections == 2


def test_an_endless_body_is_cut(client: Client) -> None:
    def endless(sock: socket.socket, _: Server) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            sock.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")

    with Server(endless) as server:
        response = get(client, server.url, max_response=100_000)

    assert (len(response.body), response.truncated) == (100_000, True)


def test_a_gzip_bomb_is_cut(client: Client) -> None:
    bomb = answer(gzip.compress(bytes(50_000_000)), "200 OK", "Content-Encoding: gzip")
    with Server(always(bomb)) as server:
        response = get(
            client,
            server.url,
            headers={"Accept-Encoding": "gzip"},
            max_response=50_000,
        )

    assert (response.body, response.truncated) == (bytes(50_000), True)


def test_no_encoding_is_asked_for_but_gzip_is_understood(client: Client) -> None:
    packed = answer(gzip.compress(b"hello"), "200 OK", "Content-Encoding: GZIP")
    with Server(always(packed)) as server:
        assert get(client, server.url).body == b"hello"
        assert b"Accept-Encoding: identity\r\n" in server.requests[0]


def test_an_answer_that_comes_before_the_upload_ends_is_read(client: Client) -> None:
    def refuse(sock: socket.socket, _: Server) -> None:
        sock.recv(1000)
        sock.sendall(answer(b"too large", "413 Content Too Large"))
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1_000_000):
            pass

    with Server(refuse) as server:
        response = get(client, server.url, method="POST", body=b"x" * 3_000_000)

    assert (response.status, response.body) == (413, b"too large")


@pytest.mark.parametrize(
    ("url", "headers", "method"),
    [
        ("{}/\r\nX: y", {}, "GET"),
        ("{}/\x00", {}, "GET"),
        ("{}/", {"X": "a\r\nY: b"}, "GET"),
        ("{}/", {"X\r\nY": "b"}, "GET"),
        ("{}/", {"X": "\0"}, "GET"),
        ("{}/", {}, "GET / HTTP/1.1\r\nX:"),
        ("http://user:pw@127.0.0.1/", {}, "GET"),
        ("file:///etc/passwd", {}, "GET"),
    ],
)
def test_what_could_be_smuggled_is_refused_before_anything_leaves(
    client: Client, url: str, headers: dict[str, str], method: str
) -> None:
    with Server(always(answer())) as server:
        error = failure(client, url.format(server.url), headers=headers, method=method)

        assert server.connections == 0
    assert (error.kind, error.sent) == ("protocol", False)


def test_the_environment_has_no_say(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(always(answer(b"proxy"))) as proxy, Server(always(answer())) as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)

        assert get(client, server.url).body == b"ok"
        assert proxy.connections == 0


def test_a_blocked_request_says_which_setting_permits_it() -> None:
    with Server(always(answer())) as server, closing(Client(Policy())) as strict:
        error = failure(strict, server.url)

        assert server.connections == 0
    assert (error.kind, error.sent) == ("blocked", False)
    assert str(error) == (
        "127.0.0.1 is a loopback address: set AUTOMATE_ALLOWED_NETWORKS to permit it"
    )
