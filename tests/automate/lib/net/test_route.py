"""Routes: client certificates, authorities of one's own, and sockets kept apart."""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from automate.lib.net import Client, NetError, Proxy, Request, Response, Route
from automate.lib.net import route as routes
from automate.lib.net.route import Contexts, tls_context
from tests.automate.lib.net.pki import Authority, Issued, private_pem
from tests.automate.lib.net.servers import Server, always, answer

UNTRUSTED = r"self-signed|unable to get local issuer"


def send(client: Client, url: str, route: Route | None, **more: Any) -> Response:
    return client.send(Request("GET", url, timeout=60, route=route, **more))


def of(issued: Issued, authority: Authority, owner: str = "crm") -> Route:
    return Route(owner, issued.certificate, issued.private_key, authority.certificate)


@pytest.fixture
def mtls(authority: Authority) -> ssl.SSLContext:
    return authority.server(asks=authority)


def test_a_client_certificate_is_shown_and_the_socket_reused(
    client: Client, authority: Authority, mtls: ssl.SSLContext
) -> None:
    route = of(authority.issue("crm"), authority)
    with Server(always(answer()), mtls) as server:
        for _ in range(3):
            assert send(client, server.url, route).status == 200

        assert server.connections == 1


def test_a_receiver_that_wants_a_certificate_refuses_who_has_none(
    client: Client, authority: Authority, mtls: ssl.SSLContext
) -> None:
    trusting = Route("crm", authorities=authority.certificate)
    stranger = of(Authority("Another CA").issue("crm"), authority)
    with Server(always(answer()), mtls) as server:
        for route in (trusting, stranger):
            with pytest.raises(NetError) as caught:
                send(client, server.url, route)
            # TLS 1.3 refuses only after the client believes that it is connected.
            assert caught.value.kind in {"tls", "reset"}

        assert server.requests == []


def test_the_sockets_of_two_owners_are_never_mixed(
    client: Client, authority: Authority, mtls: ssl.SSLContext
) -> None:
    first = of(authority.issue("first"), authority, "first")
    second = of(authority.issue("second"), authority, "second")
    shown: list[Any] = []

    def handle(sock: Any, server: Server) -> None:
        subject = dict(part[0] for part in sock.getpeercert()["subject"])
        shown.append(subject["commonName"])
        always(answer())(sock, server)

    with Server(handle, mtls) as server:
        for route in (first, second, first, second):
            send(client, server.url, route)

        assert shown == ["first", "second"]
        assert len(server.requests) == 4


def test_a_rotated_certificate_gets_sockets_of_its_own(
    client: Client, authority: Authority, mtls: ssl.SSLContext
) -> None:
    with Server(always(answer()), mtls) as server:
        for name in ("old", "new"):
            send(client, server.url, of(authority.issue(name), authority))

        assert server.connections == 2


def test_private_authorities_are_trusted_alone(
    client: Client, authority: Authority
) -> None:
    other = Authority("Another CA")
    with Server(always(answer()), authority.server()) as server:
        with pytest.raises(NetError, match=UNTRUSTED):
            send(client, server.url, Route("a", authorities=other.certificate))
        with pytest.raises(NetError, match=UNTRUSTED):
            send(client, server.url, None)
        route = Route("a", authorities=authority.certificate)
        assert send(client, server.url, route).status == 200


def test_a_certificate_is_not_shown_to_another_origin(
    client: Client, authority: Authority, mtls: ssl.SSLContext
) -> None:
    route = of(authority.issue("crm"), authority)
    asks = authority.server(asks=authority)
    asks.verify_mode = ssl.CERT_OPTIONAL
    seen: list[Any] = []

    def second(sock: Any, server: Server) -> None:
        seen.append(sock.getpeercert())
        always(answer(b"other"))(sock, server)

    with Server(second, asks) as other:
        moved = answer(b"", "307 Temporary Redirect", f"Location: {other.url}/")
        with Server(always(moved), mtls) as server:
            response = send(client, server.url, route, max_redirects=1)

    assert response.body == b"other"
    assert seen in ([None], [{}])


def test_keys_leave_nothing_on_the_disk(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    issued = authority.issue()
    opened: list[str] = []
    load = ssl.SSLContext.load_cert_chain

    def watch(self: ssl.SSLContext, path: str, **more: Any) -> None:
        opened.append(path)
        load(self, path, **more)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watch)
    tls_context(issued.certificate, issued.private_key, "")
    monkeypatch.delattr(os, "memfd_create")
    tls_context(issued.certificate, issued.private_key, "")

    assert opened[0].startswith("/proc/self/fd/")
    assert opened[1].startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"certificate": "nonsense"}, "not valid PEM"),
        ({"private_key": "nonsense"}, "not valid PEM"),
        ({"private_key": ""}, "needs its private key"),
        ({"certificate": ""}, "needs its private key"),
        ({"authorities": "nonsense"}, "authorities are not certificates"),
    ],
)
def test_what_is_no_certificate_is_told_without_its_text(
    authority: Authority, client: Client, changes: dict[str, Any], reason: str
) -> None:
    issued = authority.issue()
    route = replace(of(issued, authority), **changes)
    with pytest.raises(NetError, match=reason) as caught:
        send(client, "https://127.0.0.1:1/", route)

    assert (caught.value.kind, caught.value.sent) == ("tls", False)
    assert "nonsense" not in str(caught.value)


def test_a_key_of_another_certificate_is_told(authority: Authority) -> None:
    one, other = authority.issue(), authority.issue()
    with pytest.raises(ValueError, match="does not belong to the client certificate"):
        tls_context(one.certificate, other.private_key, "")


def test_a_key_under_a_pass_phrase_is_refused_and_nobody_is_asked(
    authority: Authority,
) -> None:
    locked = private_pem(ec.generate_private_key(ec.SECP256R1()), b"phrase")
    with pytest.raises(ValueError, match="without a pass phrase"):
        tls_context(authority.issue().certificate, locked, "")


def test_contexts_are_made_once_and_bounded(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "MOST_CONTEXTS", 2)
    contexts = Contexts()
    kept = of(authority.issue(), authority)
    first = contexts.of(kept)
    others = [of(authority.issue(), authority) for _ in range(3)]
    assert contexts.of(kept) is first
    for other in others:
        contexts.of(other)

    assert len(contexts._made) == 2
    assert contexts.of(kept) is not first


def test_a_route_never_prints_what_is_secret() -> None:
    proxy = Proxy("proxy.example", 3128, "us", "canary-password")
    route = Route("crm", "canary-cert", "canary-key", "canary-ca", proxy)

    assert "canary" not in repr(Request("GET", "https://a.example/", route=route))


def test_threads_share_one_context(authority: Authority) -> None:
    contexts, route = Contexts(), of(authority.issue(), authority)
    found: list[ssl.SSLContext] = []
    threads = [
        threading.Thread(target=lambda: found.append(contexts.of(route)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert contexts.of(route) in found
    assert len(contexts._made) == 1


def test_authorities_may_have_comments_in_any_language(authority: Authority) -> None:
    tls_context("", "", f"# Größte Stelle\n{authority.certificate}")
    with pytest.raises(ValueError, match="not certificates in PEM"):
        tls_context("", "", "keine")
