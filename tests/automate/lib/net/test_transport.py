"""Names are resolved once, and only what was checked is connected to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_network
from time import monotonic
from typing import Any

import pytest

from automate.lib.net import Client, NetError, Policy, Request
from automate.lib.net.transport import Sockets, open_socket, resolve
from tests.automate.lib.net.servers import Server, always, answer


def entry(ip: str, port: int) -> tuple[Any, ...]:
    if ":" in ip:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (ip, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)


class FakeDns:
    """Gives the next of its answers at each look-up, and the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        ips = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [entry(ip, port) for ip in ips]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeDns]:
    def install(*answers: list[str]) -> FakeDns:
        fake = FakeDns(*answers)
        monkeypatch.setattr(socket, "getaddrinfo", fake)
        return fake

    return install


def test_a_rebinding_name_is_resolved_once_and_the_checked_address_is_used(
    dns: Callable[..., FakeDns],
) -> None:
    policy = Policy([ip_network("127.0.0.2/32")])
    with (
        Server(always(answer(b"checked")), host="127.0.0.2") as good,
        closing(Client(policy)) as client,
    ):
        fake = dns(["127.0.0.2"], ["127.0.0.1"])
        request = Request("GET", f"http://rebind.example:{good.port}/")

        first = client.send(request)
        again = client.send(request)

    assert fake.asked == ["rebind.example"]
    assert (first.body, again.body) == (b"checked", b"checked")
    assert good.connections == 1


def test_the_second_answer_of_a_rebinding_name_is_checked_too(
    dns: Callable[..., FakeDns],
) -> None:
    policy = Policy([ip_network("127.0.0.2/32")])
    with (
        Server(always(answer(), close=True), host="127.0.0.2") as good,
        closing(Client(policy)) as client,
    ):
        dns(["127.0.0.2"], ["127.0.0.1"])
        request = Request("GET", f"http://rebind.example:{good.port}/")
        client.send(request)
        good.wait_closed()

        with pytest.raises(NetError, match="loopback") as caught:
            client.send(request)

    assert (caught.value.kind, caught.value.sent) == ("blocked", False)


def test_of_several_addresses_only_the_permitted_are_connected_to(
    dns: Callable[..., FakeDns],
) -> None:
    policy = Policy([ip_network("127.0.0.2/32")])
    dns(["127.0.0.1", "169.254.169.254", "127.0.0.2", "::1"])

    found = resolve(policy, "mixed.example", 80)

    assert [address[0] for *_, address in found] == ["127.0.0.2"]


def test_a_name_with_only_forbidden_addresses_is_blocked_with_every_reason(
    dns: Callable[..., FakeDns],
) -> None:
    dns(["10.0.0.1", "fd00::1"])

    with pytest.raises(NetError) as caught:
        resolve(Policy(), "inside.example", 80)

    assert caught.value.kind == "blocked"
    assert str(caught.value) == (
        "10.0.0.1 is a private address, fd00::1 is a unique-local address"
        " (for inside.example): set AUTOMATE_ALLOWED_NETWORKS to permit it"
    )


def test_a_literal_address_is_not_named_twice() -> None:
    with pytest.raises(NetError) as caught:
        resolve(Policy(), "10.0.0.1", 80)

    assert str(caught.value) == (
        "10.0.0.1 is a private address: set AUTOMATE_ALLOWED_NETWORKS to permit it"
    )


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "127%2e0.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "\u2460\u2461\u2466.0.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "[fd00:ec2::254]",
        "[fe80::1%25lo]",
    ],
)
def test_no_spelling_of_a_host_gets_around_the_guard(host: str) -> None:
    with Server(always(answer())) as server, closing(Client(Policy())) as client:
        with pytest.raises(NetError) as caught:
            client.send(Request("GET", f"http://{host}:{server.port}/", {}, None, 5))

        assert server.connections == 0
    assert not caught.value.sent
    # A resolver may not know an odd spelling at all; it never leads anywhere.
    assert caught.value.kind in {"blocked", "name"}
    if caught.value.kind == "blocked":
        said = str(caught.value)
        # Nobody is told how to permit what gives away the machine's own credentials.
        assert ("AUTOMATE_ALLOWED_NETWORKS" in said) != ("metadata service" in said)


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1"])
def test_the_usual_spellings_are_blocked_and_not_merely_unknown(host: str) -> None:
    with pytest.raises(NetError) as caught:
        resolve(Policy(), host, 80)

    assert caught.value.kind == "blocked"


def test_an_unknown_name_is_kind_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(NetError, match=r"cannot resolve gone\.example") as caught:
        resolve(Policy(), "gone.example", 80)

    assert (caught.value.kind, caught.value.sent) == ("name", False)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_a_name_that_cannot_be_encoded_is_kind_name(host: str) -> None:
    with pytest.raises(NetError) as caught:
        resolve(Policy(), host, 80)

    assert caught.value.kind == "name"


def test_a_name_without_addresses_is_kind_name(dns: Callable[..., FakeDns]) -> None:
    dns([])

    with pytest.raises(NetError, match="no address") as caught:
        resolve(Policy(), "empty.example", 80)

    assert caught.value.kind == "name"


def test_the_next_address_is_tried_when_one_refuses(
    policy: Policy, dns: Callable[..., FakeDns]
) -> None:
    with Server(always(answer()), host="127.0.0.3") as server:
        dns(["127.0.0.1", "127.0.0.3"])
        sock = open_socket(policy, "two.example", server.port, 5, Sockets())
        with sock:
            assert sock.getpeername() == ("127.0.0.3", server.port)


def test_a_closed_port_is_kind_connect(policy: Policy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(NetError, match="Connection refused") as caught:
        open_socket(policy, "127.0.0.1", port, 5, Sockets())

    assert (caught.value.kind, caught.value.sent) == ("connect", False)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that connecting takes for ever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        yield port
        for filler in fillers:
            filler.close()


def test_a_port_that_never_answers_is_kind_timeout(
    policy: Policy, deaf_port: int
) -> None:
    started = monotonic()
    with pytest.raises(NetError) as caught:
        open_socket(policy, "127.0.0.1", deaf_port, 0.3, Sockets())

    assert (caught.value.kind, caught.value.sent) == ("timeout", False)
    assert monotonic() - started < 20


def test_shutting_ends_a_thread_that_is_connecting(
    policy: Policy, deaf_port: int
) -> None:
    sockets = Sockets()
    timer = threading.Timer(0.2, sockets.shut)
    timer.start()
    started = monotonic()

    with pytest.raises(NetError) as caught:
        open_socket(policy, "127.0.0.1", deaf_port, 100, sockets)

    timer.join()
    assert not caught.value.sent
    assert monotonic() - started < 20


def test_no_socket_opens_after_the_shutting(policy: Policy) -> None:
    sockets = Sockets()
    sockets.shut()

    with Server(always(answer())) as server:
        with pytest.raises(NetError, match="stopped") as caught:
            open_socket(policy, "127.0.0.1", server.port, 5, sockets)

        assert server.connections == 0
    assert (caught.value.kind, caught.value.sent) == ("reset", False)
