"""Forward proxies: the guard looks at the proxy, at the target and at every address."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from time import monotonic
from typing import Any

import pytest

from automate.lib.net import Client, Policy, Proxy, Route
from tests.automate.lib.net.asking import failure, get
from tests.automate.lib.net.pki import Authority
from tests.automate.lib.net.servers import (
    Server,
    always,
    answer,
    proxying,
    read_request,
    silent,
)


def via(server: Server, authority: Authority | None = None, **more: Any) -> Route:
    proxy = Proxy("127.0.0.1", server.port, **more)
    return Route(
        "crm", authorities=authority.certificate if authority else "", proxy=proxy
    )


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """What a name service answers, turn by turn; literals stay as they are."""

    def install(**answers: list[list[str]]) -> list[str]:
        asked: list[str] = []

        def look_up(host: str, port: int, *_: Any) -> list[Any]:
            asked.append(host)
            turns = answers.get(host.partition(".")[0], [[host]])
            ips = turns.pop(0) if len(turns) > 1 else turns[0]
            return [(socket.AF_INET, 1, 6, "", (ip, port)) for ip in ips]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return asked

    return install


def test_https_goes_through_a_tunnel_and_is_verified_end_to_end(
    client: Client, authority: Authority
) -> None:
    with (
        Server(always(answer(b"inside")), authority.server()) as server,
        Server(proxying()) as proxy,
    ):
        route = via(proxy, authority)
        for _ in range(2):
            assert get(client, server.url, route=route).body == b"inside"

        (connect,) = proxy.requests
        assert connect.startswith(
            f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode()
        )
        assert server.connections == 1
        assert failure(client, server.url, route=via(proxy)).kind == "tls"


def test_plain_http_is_asked_of_the_proxy_in_absolute_form(client: Client) -> None:
    with Server(always(answer(b"plain"))) as server, Server(proxying()) as proxy:
        response = get(client, f"{server.url}/a?b=c", route=via(proxy))

        assert response.body == b"plain"
        line = proxy.requests[0].partition(b"\r\n")[0].decode()
        assert line == f"GET {server.url}/a?b=c HTTP/1.1"
        assert b"Host: 127.0.0.1:%d" % server.port in server.requests[0]


@pytest.mark.parametrize("tls", [True, False])
def test_the_login_is_the_proxys_alone(
    client: Client, authority: Authority, tls: bool
) -> None:
    with (
        Server(always(answer()), authority.server() if tls else None) as server,
        Server(proxying("Basic dXM6cHc=")) as proxy,
    ):
        route = via(proxy, authority, username="us", password="pw")
        assert get(client, server.url, route=route).status == 200
        if tls:
            assert b"Proxy-Authorization" not in server.requests[0]
            refused = failure(client, server.url, route=via(proxy, authority))
            assert (refused.kind, refused.sent) == ("connect", False)
            assert "answered 407" in str(refused)


def test_a_step_cannot_send_a_proxy_login_of_its_own(client: Client) -> None:
    with Server(always(answer())) as server:
        get(client, server.url, headers={"Proxy-Authorization": "Basic x"})

        assert b"Proxy-Authorization" not in server.requests[0]


def test_a_proxy_that_is_not_permitted_is_not_spoken_to(authority: Authority) -> None:
    # The target is a public address; it would be permitted.
    with Server(proxying()) as proxy, closing(Client(Policy())) as client:
        for url in ("https://93.184.215.14/", "http://93.184.215.14/"):
            refused = failure(client, url, route=via(proxy, authority))
            assert (refused.kind, refused.sent) == ("blocked", False)
            assert "the connection's proxy: 127.0.0.1 is a loopback" in str(refused)

        assert proxy.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "169.254.169.254",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "2852039166",
    ],
)
def test_the_target_is_checked_although_the_proxy_would_reach_it(
    client: Client, scheme: str, host: str
) -> None:
    with Server(proxying()) as proxy:
        refused = failure(client, f"{scheme}://{host}/", route=via(proxy))
        assert refused.kind == "blocked"
        assert proxy.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_forbidden_address_of_a_name_is_enough(
    client: Client, names: Callable[..., list[str]], scheme: str
) -> None:
    names(mixed=[["93.184.215.14", "10.0.0.1"]])
    with Server(proxying()) as proxy:
        refused = failure(client, f"{scheme}://mixed.example/", route=via(proxy))
        assert refused.kind == "blocked"
        assert "10.0.0.1 is a private address" in str(refused)
        assert proxy.requests == []


def test_over_a_plain_proxy_a_name_is_checked_again_for_every_request(
    client: Client, names: Callable[..., list[str]]
) -> None:
    names(rebind=[["127.0.0.1"], ["10.0.0.1"]])
    with Server(always(answer())) as server, Server(proxying()) as proxy:
        url = f"http://rebind.example:{server.port}/"
        assert get(client, url, route=via(proxy)).status == 200
        assert failure(client, url, route=via(proxy)).kind == "blocked"
        assert len(server.requests) == 1


@pytest.mark.parametrize("where", ["http://10.0.0.1/", "http://169.254.169.254/"])
def test_a_redirect_is_checked_behind_a_proxy_too(client: Client, where: str) -> None:
    moved = answer(b"", "302 Found", f"Location: {where}")
    with Server(always(moved)) as server, Server(proxying()) as proxy:
        refused = failure(client, server.url, route=via(proxy), max_redirects=3)

        assert (refused.kind, refused.sent) == ("blocked", True)
        assert len(proxy.requests) == 1


def test_a_proxy_that_says_nothing_ends_at_the_deadline(client: Client) -> None:
    with Server(silent) as proxy:
        started = monotonic()
        error = failure(client, "https://127.0.0.1:9/", route=via(proxy), timeout=0.3)

        assert monotonic() - started < 20
        assert (error.kind, error.sent) == ("timeout", False)


def test_a_proxy_that_speaks_before_the_tunnel_is_open_is_not_believed(
    client: Client,
) -> None:
    def hasty(sock: socket.socket, _: Server) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")

    with Server(hasty) as proxy:
        error = failure(client, "https://127.0.0.1:9/", route=via(proxy))

    assert (error.kind, error.sent) == ("connect", False)
    assert "spoke before" in str(error)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy.example:8080", Proxy("proxy.example", 8080)),
        ("http://proxy.example", Proxy("proxy.example", 3128)),
        ("http://us%40x@proxy.example", Proxy("proxy.example", 3128, "us@x", "pw")),
        ("http://[2001:db8::1]:81/", Proxy("2001:db8::1", 81)),
    ],
)
def test_a_proxy_has_an_address(url: str, expected: Proxy) -> None:
    assert Proxy.at(url, "pw" if expected.username else "") == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy:3128",
        "https://proxy.example",
        "socks5://p",
        "http://p/path",
        "http://p:x",
    ],
)
def test_what_is_no_proxy_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="proxy's URL"):
        Proxy.at(url)
