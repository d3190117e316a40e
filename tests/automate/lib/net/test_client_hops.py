"""Hosts and redirects: every hop is held to the same rules."""

from __future__ import annotations

import socket
from time import monotonic

import pytest

from automate.lib.net import Client
from tests.automate.lib.net.asking import failure, get
from tests.automate.lib.net.servers import (
    Server,
    always,
    answer,
    read_request,
)


@pytest.mark.parametrize("allowed", ["127.0.0.1", "*.example.com"])
def test_a_secret_goes_to_its_hosts_only(client: Client, allowed: str) -> None:
    hosts = frozenset({allowed})
    with Server(always(answer())) as server:
        if allowed == "127.0.0.1":
            assert get(client, server.url, allowed_hosts=hosts).status == 200
        error = failure(client, f"http://localhost:{server.port}/", allowed_hosts=hosts)

        assert (error.kind, error.sent) == ("blocked", False)
        assert str(error) == (
            "localhost is not permitted: the secret or connection in use"
            f" allows only certain hosts ({allowed})"
        )


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "[::1]:80"])
def test_a_host_header_does_not_get_around_the_allowed_hosts(
    client: Client, host: str
) -> None:
    with Server(always(answer())) as server:
        error = failure(
            client,
            server.url,
            headers={"Host": host},
            allowed_hosts=frozenset({"127.0.0.1"}),
        )

        assert server.connections == 0
    assert error.kind == "blocked"


def moved(where: str, status: str = "302 Found") -> bytes:
    return answer(b"", status, f"Location: {where}")


def test_a_redirect_is_not_followed_by_default(client: Client) -> None:
    with Server(always(moved("/next"))) as server:
        response = get(client, server.url)

        assert response.status == 302
        assert ("Location", "/next") in response.headers
        assert len(server.requests) == 1


def test_a_redirect_to_another_origin_leaves_credentials_behind(
    client: Client,
) -> None:
    with (
        Server(always(answer(b"there"))) as there,
        Server(always(moved(there.url + "/x"))) as here,
    ):
        response = get(
            client,
            here.url,
            method="POST",
            body=b"b",
            headers={"Authorization": "Bearer c", "X-Api-Key": "c", "X-Id": "7"},
            max_redirects=2,
        )

        assert (response.body, response.url) == (b"there", there.url + "/x")
        assert b"Authorization: Bearer c" in here.requests[0]
        arrived = there.requests[0]
    assert arrived.startswith(b"GET /x HTTP/1.1\r\n")
    assert b"X-Id: 7" in arrived
    assert b"Bearer" not in arrived
    assert b"Api-Key" not in arrived


def test_a_307_repeats_method_and_body(client: Client) -> None:
    with (
        Server(always(answer())) as there,
        Server(always(moved(there.url, "307 Temporary Redirect"))) as here,
    ):
        get(client, here.url, method="POST", body=b"data", max_redirects=1)

        assert there.requests[0].startswith(b"POST / ")
        assert there.requests[0].endswith(b"\r\n\r\ndata")


def test_too_many_redirects_are_an_error(client: Client) -> None:
    with Server(always(moved("/again"))) as server:
        error = failure(client, server.url, max_redirects=3)

        assert (error.kind, error.sent) == ("redirect", True)
        assert "more than 3 redirects" in str(error)
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("where", "kind", "reason"),
    [
        ("http://10.0.0.1/", "blocked", "private address"),
        ("http://169.254.169.254/latest/meta-data/", "blocked", "metadata"),
        ("http://[::1]/", "blocked", "loopback"),
        ("file:///etc/passwd", "redirect", "scheme 'file'"),
        ("http://u:p@127.0.0.1/", "redirect", "user name"),
    ],
)
def test_a_redirect_to_a_forbidden_place_is_refused(
    client: Client, where: str, kind: str, reason: str
) -> None:
    with Server(always(moved(where))) as server:
        error = failure(client, server.url, max_redirects=5)

    assert (error.kind, error.sent) == (kind, True)
    assert "redirect" in str(error)
    assert reason in str(error)


def test_a_redirect_is_held_to_the_allowed_hosts(client: Client) -> None:
    with (
        Server(always(answer())) as there,
        Server(always(moved(f"http://localhost:{there.port}/"))) as here,
    ):
        error = failure(
            client,
            here.url,
            max_redirects=1,
            allowed_hosts=frozenset({"127.0.0.1"}),
        )

        assert there.connections == 0
    assert (error.kind, error.sent) == ("blocked", True)


def test_redirects_share_one_deadline(client: Client) -> None:
    def slow(sock: socket.socket, server: Server) -> None:
        while read_request(sock):
            if server.done.wait(0.15):
                return
            sock.sendall(moved("/again"))

    started = monotonic()
    with Server(slow) as server:
        error = failure(client, server.url, max_redirects=500, timeout=1.0)

        assert (error.kind, error.sent) == ("timeout", True)
        assert monotonic() - started < 20  # of the 75 that so many hops take
