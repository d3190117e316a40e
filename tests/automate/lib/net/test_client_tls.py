"""TLS: verified by host name, under the same deadline."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_network
from time import monotonic

import pytest

from automate.lib.net import Client, Policy, Request
from tests.automate.lib.net.asking import failure
from tests.automate.lib.net.conftest import Certificate
from tests.automate.lib.net.servers import (
    Server,
    always,
    answer,
    read_request,
    silent,
    stall,
)


@pytest.fixture
def trusting(policy: Policy, certificate: Certificate) -> Iterator[Client]:
    """A client that trusts the self-made certificate."""
    with closing(Client(policy, verify=certificate.path)) as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_a_trusted_certificate_is_accepted_and_the_connection_reused(
    trusting: Client, certificate: Certificate, host: str
) -> None:
    with Server(always(answer()), certificate.server) as server:
        for _ in range(3):
            url = f"https://{host}:{server.port}/"
            response = trusting.send(Request("POST", url, body=b"x"))
            assert response.body == b"ok"

        assert server.connections == 1


def test_an_unknown_authority_is_refused(
    client: Client, certificate: Certificate
) -> None:
    with Server(always(answer()), certificate.server) as server:
        error = failure(client, server.url)

        assert server.requests == []
    assert (error.kind, error.sent) == ("tls", False)
    assert "self-signed certificate" in str(error)


def test_a_certificate_for_another_name_is_refused(
    trusting: Client, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(always(answer()), certificate.server) as server:
        found = [(socket.AF_INET, 1, 6, "", ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
        error = failure(trusting, f"https://other.example:{server.port}/")

        assert server.requests == []
    assert (error.kind, error.sent) == ("tls", False)
    assert "not valid for 'other.example'" in str(error)


def test_the_server_is_told_the_host_name_without_the_dot(
    policy: Policy, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path)
    context.sni_callback = lambda _sock, name, _ctx: asked.append(name)
    with (
        Server(always(answer()), context) as server,
        closing(Client(policy, verify=certificate.path)) as client,
    ):
        found = [(socket.AF_INET, 1, 6, "", ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
        client.send(Request("GET", f"https://localhost.:{server.port}/"))

    assert asked == ["localhost"]


def test_plain_http_on_the_other_end_is_kind_tls(trusting: Client) -> None:
    def plain(sock: socket.socket, _: Server) -> None:
        sock.recv(100)
        sock.sendall(answer())

    with Server(plain) as server:
        error = failure(trusting, f"https://127.0.0.1:{server.port}/")

    assert (error.kind, error.sent) == ("tls", False)


def test_a_peer_that_hangs_up_in_the_handshake_is_kind_tls(trusting: Client) -> None:
    with Server(lambda sock, _: sock.close()) as server:
        error = failure(trusting, f"https://127.0.0.1:{server.port}/")

    assert (error.kind, error.sent) == ("tls", False)


def test_a_handshake_that_never_ends_is_kind_timeout(trusting: Client) -> None:
    started = monotonic()
    with Server(silent) as server:
        error = failure(trusting, f"https://127.0.0.1:{server.port}/", timeout=0.3)

        assert (error.kind, error.sent) == ("timeout", False)
        assert monotonic() - started < 20


def test_a_drip_over_tls_ends_at_the_deadline(
    trusting: Client, certificate: Certificate
) -> None:
    def drip(sock: socket.socket, server: Server) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
        while not server.done.wait(0.05):
            sock.sendall(b"a")

    started = monotonic()
    with Server(drip, certificate.server) as server:
        error = failure(trusting, server.url, timeout=1.0)

        assert (error.kind, error.sent) == ("timeout", True)
        assert monotonic() - started < 20


def test_a_large_exchange_over_tls_arrives_whole(
    trusting: Client, certificate: Certificate
) -> None:
    def echo(sock: socket.socket, _: Server) -> None:
        request = read_request(sock)
        sock.sendall(answer(request.partition(b"\r\n\r\n")[2]))

    body = bytes(range(256)) * 8000
    with Server(echo, certificate.server) as server:
        response = trusting.send(
            Request("POST", server.url, body=body, timeout=60, max_response=len(body))
        )

    assert response.body == body
    assert not response.truncated


def test_abort_ends_a_handshake(trusting: Client) -> None:
    started = monotonic()
    with Server(silent) as server:
        timer = threading.Timer(0.3, trusting.abort)
        timer.start()
        error = failure(trusting, f"https://127.0.0.1:{server.port}/", timeout=100)
        timer.join()

        assert monotonic() - started < 30
    assert (error.kind, error.sent) == ("reset", False)


def test_abort_ends_a_read(trusting: Client, certificate: Certificate) -> None:
    def abort(server: Server) -> None:
        server.wait_for_requests(1)
        trusting.abort()

    started = monotonic()
    with Server(stall, certificate.server) as server:
        aborter = threading.Thread(target=abort, args=(server,))
        aborter.start()
        error = failure(trusting, server.url, timeout=100)
        aborter.join()

        assert monotonic() - started < 30
    assert (error.kind, error.sent) == ("reset", True)


def test_a_client_certificate_is_shown(
    policy: Policy, certificate: Certificate
) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate.path)
    server_side.load_verify_locations(certificate.path)
    server_side.verify_mode = ssl.CERT_REQUIRED
    ours = ssl.create_default_context(cafile=certificate.path)
    bare = Client(policy, verify=certificate.path)
    with (
        Server(always(answer()), server_side) as server,
        closing(bare),
        closing(Client(policy, verify=ours)) as client,
    ):
        ours.load_cert_chain(certificate.path)

        assert client.send(Request("GET", server.url)).status == 200
        # TLS 1.3 refuses only after the client believes that it is connected.
        assert failure(bare, server.url).kind in {"tls", "reset"}


def test_the_guard_comes_before_tls(certificate: Certificate) -> None:
    with (
        Server(always(answer()), certificate.server) as server,
        closing(Client(Policy([ip_network("10.0.0.0/8")]))) as client,
    ):
        error = failure(client, server.url)

        assert server.connections == 0
    assert error.kind == "blocked"
