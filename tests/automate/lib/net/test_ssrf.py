"""A corpus of ways around an address guard, on real sockets, with a client certificate.

The forms are those of OWASP's "Server-Side Request Forgery Prevention" cheat sheet,
RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 4291 and UTS 46. Each is tried
as the URL of a request over TLS, as a redirect's target, and through a proxy.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import pytest

from automate.lib.net import Client, NetError, Policy, Proxy, Request, Route
from tests.automate.lib.net.pki import Authority
from tests.automate.lib.net.servers import (
    Server,
    always,
    answer,
    proxying,
    read_request,
)

VICTIM = ip_address("127.0.0.1")
# What leads to 127.0.0.1 when nobody guards: it must be refused, not just unknown.
LIVE = [
    "127.0.0.1",
    "2130706433",  # decimal
    "017700000001",  # octal
    "0x7f000001",  # hexadecimal
    "0x7F.0.0.0x1",
    "0177.0.0.01",  # octal in parts
    "127.1",  # short forms
    "127.0.1",
    "127.0x0.1",  # mixed
    "%31%32%37%2e%30%2e%30%2e%31",  # percent-encoded
    "127%2E0.0.1",
    "\uff11\uff12\uff17.0.0.1",  # full-width digits
    "127\u30020\u30020\u30021",  # ideographic full stops
    "127\uff0e0\uff0e0\uff0e1",
    "127\uff610\uff610\uff611",
    "\u2460\u2461\u2466.0.0.\u2460",  # digits in circles
    "\U0001d7cf\U0001d7d0\U0001d7d5.0.0.1",  # mathematical digits
    "[::ffff:127.0.0.1]",  # IPv4-mapped
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:FFFF:7F00:1]",
    "localhost",
    "LocalHost",
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",  # localhost in circles
    "0",
    "0.0.0.0",
]
# What leads inside elsewhere, or through a translator: refused wherever it leads.
INNER = [
    "[::]",
    "[::1]",
    "[::127.0.0.1]",  # IPv4-compatible
    "[::ffff:0:127.0.0.1]",  # IPv4-translated (SIIT)
    "[64:ff9b::127.0.0.1]",  # NAT64
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1:7f00:0:100::]",  # local NAT64, RFC 6052's place for a /48
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",  # 6to4
    "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]",  # Teredo, the server's address
    "[2001::80ff:fffe]",  # Teredo, the client's, inverted
    "[fe80::1]",
    "[fe80::1%25lo]",  # a zone
    "[fec0::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "169.254.169.254",
    "2852039166",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "100.100.100.200",
    "168.63.129.16",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "192.0.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
]
# What different parsers read differently is read by nobody.
AMBIGUOUS = [
    "https://public.example@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@public.example/",
    "https://public.example\\@127.0.0.1:{port}/",
    "https://127.0.0.1\\.public.example:{port}/",
    "https://public.example%00.127.0.0.1:{port}/",
    "https://127.0.0.1%0d%0aHost:x:{port}/",
    "https://127.0.0.1:{port}\r\nX: y",
    "https://127.0.0.1\t:{port}/",
    "https://127.0.0.1 :{port}/",
    "https://127.0.0.1%23@public.example:{port}/",
    "https://127.0.0.1:{port}:443/",
    "https://[127.0.0.1]:{port}/",
    "https://[::ffff:127.0.0.1/",
    "https:///127.0.0.1:{port}/",
    "https:127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "file:///etc/passwd",
    "dict://127.0.0.1:{port}/",
]


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Route:
    issued = authority.issue("crm")
    return Route("crm", issued.certificate, issued.private_key, authority.certificate)


@pytest.fixture(scope="module")
def victim(authority: Authority) -> Iterator[Server]:
    """What must not be reached: it wants a client certificate, and would answer."""
    names = ("127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "localhost")
    context = authority.server(*names, asks=authority)
    with Server(always(answer(b"inside")), context) as server:
        yield server


@pytest.fixture
def strict() -> Iterator[Client]:
    """A client that may reach a receiver at 127.0.0.2, and nothing else inside."""
    with closing(Client(Policy([ip_network("127.0.0.2/32")]))) as client:
        yield client


def refused(client: Client, url: str, victim: Server, **more: Any) -> NetError:
    """The refusal; the victim saw no connection."""
    before = victim.connections
    with pytest.raises(NetError) as caught:
        client.send(Request("GET", url, timeout=60, **more))
    assert victim.connections == before
    return caught.value


@pytest.mark.parametrize("host", LIVE)
def test_the_corpus_is_alive(
    client: Client, victim: Server, ours: Route, host: str
) -> None:
    """Where the guard permits it, each form reaches the victim (TLS may refuse it)."""
    policy = Policy([ip_network("127.0.0.0/8"), ip_network("0.0.0.0/32")])
    before = victim.connections
    with closing(Client(policy)) as lenient:
        try:
            url = f"https://{host}:{victim.port}/"
            lenient.send(Request("GET", url, timeout=60, route=ours))
        except NetError as error:
            assert error.kind == "tls", error  # noqa: PT017

    assert victim.connections == before + 1


@pytest.mark.parametrize("host", LIVE + INNER)
def test_a_form_of_an_inner_address_is_refused(
    strict: Client, victim: Server, ours: Route, host: str
) -> None:
    error = refused(strict, f"https://{host}:{victim.port}/", victim, route=ours)

    assert (error.kind, error.sent) == ("blocked", False)


@pytest.mark.parametrize("url", AMBIGUOUS)
def test_an_ambiguous_url_is_refused(
    client: Client, victim: Server, ours: Route, url: str
) -> None:
    error = refused(client, url.format(port=victim.port), victim, route=ours)

    assert (error.kind, error.sent) == ("protocol", False)


def test_no_redirect_leads_inside(
    strict: Client, authority: Authority, victim: Server, ours: Route
) -> None:
    """All forms in one go: the door sends each caller to the next of them."""
    hosts = iter(LIVE + INNER)

    def door(sock: socket.socket, _: Server) -> None:
        line = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
        while read_request(sock):
            host = next(hosts).encode()
            where = b"Location: https://%s:%d/" % (host, victim.port)
            sock.sendall(line + where + b"\r\n\r\n")

    context = authority.server("127.0.0.2", asks=authority)
    with Server(door, context, host="127.0.0.2") as server:
        for host in LIVE + INNER:
            error = refused(strict, server.url, victim, route=ours, max_redirects=3)
            assert (error.kind, error.sent) == ("blocked", True), host


@pytest.mark.parametrize("url", AMBIGUOUS)
def test_no_redirect_leads_to_an_ambiguous_place(
    client: Client, authority: Authority, victim: Server, ours: Route, url: str
) -> None:
    where = url.format(port=victim.port).replace("\r\n", "\t")
    if url.startswith("https:127"):
        return  # relative to https: the same path of the same origin
    moved = answer(b"", "302 Found", f"Location: {where}")
    with Server(always(moved), authority.server(asks=authority)) as server:
        error = refused(client, server.url, victim, route=ours, max_redirects=3)

    assert (error.kind, error.sent) == ("redirect", True)


def test_no_proxy_is_asked_for_an_inner_address(
    strict: Client, victim: Server, authority: Authority
) -> None:
    with Server(proxying(), host="127.0.0.2") as proxy:
        route = Route(
            "crm",
            authorities=authority.certificate,
            proxy=Proxy("127.0.0.2", proxy.port),
        )
        for host in LIVE + INNER:
            for scheme in ("http", "https"):
                url = f"{scheme}://{host}:{victim.port}/"
                assert refused(strict, url, victim, route=route).kind == "blocked"

        assert proxy.connections == 0


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A name service that gives the next of its answers at each look-up."""

    def install(*answers: list[str]) -> list[str]:
        asked: list[str] = []
        turns = list(answers)

        def look_up(host: str, port: int, *_: Any) -> list[Any]:
            asked.append(host)
            ips = turns.pop(0) if len(turns) > 1 else turns[0]
            return [_entry(ip, port) for ip in ips]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return asked

    return install


def _entry(ip: str, port: int) -> tuple[Any, ...]:
    if isinstance(ip_address(ip), IPv6Address):
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (ip, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)


def test_a_rebinding_name_is_connected_to_as_it_was_checked(
    strict: Client, authority: Authority, ours: Route, names: Callable[..., list[str]]
) -> None:
    context = authority.server("rebind.example", asks=authority)
    with Server(always(answer(b"checked")), context, host="127.0.0.2") as good:
        asked = names(["127.0.0.2"], ["127.0.0.1"])
        url = f"https://rebind.example:{good.port}/"
        for _ in range(3):
            request = Request("GET", url, timeout=60, route=ours)
            assert strict.send(request).body == b"checked"

    assert asked == ["rebind.example"]


def test_the_next_answer_of_a_rebinding_name_is_checked_when_it_is_used(
    strict: Client,
    authority: Authority,
    victim: Server,
    ours: Route,
    names: Callable[..., list[str]],
) -> None:
    context = authority.server("rebind.example", asks=authority)
    with Server(always(answer(), close=True), context, host="127.0.0.2") as good:
        names(["127.0.0.2"], ["127.0.0.1"], ["169.254.169.254"], ["64:ff9b::7f00:1"])
        url = f"https://rebind.example:{good.port}/"
        strict.send(Request("GET", url, timeout=60, route=ours))
        good.wait_closed()
        for _ in range(3):
            error = refused(strict, url, victim, route=ours)
            assert (error.kind, error.sent) == ("blocked", False)


def test_a_name_that_rebinds_between_two_hops_is_checked_on_each(
    strict: Client,
    authority: Authority,
    victim: Server,
    ours: Route,
    names: Callable[..., list[str]],
) -> None:
    context = authority.server("rebind.example", asks=authority)
    where = f"Location: https://rebind.example:{victim.port}/"
    moved = answer(b"", "302 Found", where)
    with Server(always(moved), context, host="127.0.0.2") as good:
        names(["127.0.0.2"], ["127.0.0.1"])
        url = f"https://rebind.example:{good.port}/"
        error = refused(strict, url, victim, route=ours, max_redirects=3)

    assert (error.kind, error.sent) == ("blocked", True)


@pytest.mark.parametrize(
    "others",
    [["127.0.0.1"], ["169.254.169.254", "10.0.0.1"], ["::ffff:127.0.0.1"], ["::1"]],
)
def test_of_a_mixed_answer_only_what_is_permitted_is_connected_to(
    strict: Client,
    authority: Authority,
    ours: Route,
    names: Callable[..., list[str]],
    others: list[str],
) -> None:
    context = authority.server("mixed.example", asks=authority)
    with (
        Server(always(answer(b"good")), context, host="127.0.0.2") as good,
        Server(always(answer(b"bad")), host="127.0.0.1") as bad,
    ):
        names([*others, "127.0.0.2", *others])
        url = f"https://mixed.example:{good.port}/"
        response = strict.send(Request("GET", url, timeout=60, route=ours))

        assert response.body == b"good"
        assert bad.connections == 0


def test_a_mixed_answer_whose_permitted_address_is_dead_falls_back_to_nothing(
    strict: Client, victim: Server, ours: Route, names: Callable[..., list[str]]
) -> None:
    """The victim has this port at 127.0.0.1; at 127.0.0.2 nobody listens on it."""
    names(["127.0.0.2", "127.0.0.1"])
    url = f"https://mixed.example:{victim.port}/"

    assert refused(strict, url, victim, route=ours).kind == "connect"


def test_the_resolvers_own_nat64_answers_are_refused(
    strict: Client, victim: Server, ours: Route, names: Callable[..., list[str]]
) -> None:
    """DNS64 (RFC 6147) makes such addresses of any IPv4 address, inner ones too."""
    names(["64:ff9b::7f00:1", "64:ff9b:1:7f00:0:100::", "64:ff9b::a00:1"])
    url = f"https://dns64.example:{victim.port}/"

    assert refused(strict, url, victim, route=ours).kind == "blocked"
