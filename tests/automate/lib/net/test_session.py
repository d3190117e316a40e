"""`requests` under the guard."""

from __future__ import annotations

import socket
from time import monotonic

import pytest
import requests

from automate.lib.net import NetError, Policy, guarded_session
from tests.automate.lib.net.conftest import Certificate
from tests.automate.lib.net.servers import Server, always, answer, silent


def test_a_permitted_address_is_reached_over_one_connection(policy: Policy) -> None:
    with Server(always(answer(b"hello"))) as server, guarded_session(policy) as session:
        for _ in range(3):
            assert session.post(server.url, json={"a": 1}).text == "hello"

        assert server.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433"])
def test_a_forbidden_address_is_refused(host: str) -> None:
    with Server(always(answer())) as server, guarded_session(Policy()) as session:
        with pytest.raises(
            requests.ConnectionError, match="AUTOMATE_ALLOWED_NETWORKS"
        ) as caught:
            session.get(f"http://{host}:{server.port}/")

        assert server.connections == 0
    cause = caught.value.__cause__
    assert isinstance(cause, NetError)
    assert (cause.kind, cause.sent) == ("blocked", False)


def test_a_redirect_to_a_forbidden_address_is_refused(policy: Policy) -> None:
    moved = answer(b"", "302 Found", "Location: http://10.0.0.1/")
    with (
        Server(always(moved)) as server,
        guarded_session(policy) as session,
        pytest.raises(requests.ConnectionError, match="private address"),
    ):
        session.get(server.url)


def test_tls_is_verified(policy: Policy, certificate: Certificate) -> None:
    with (
        Server(always(answer()), certificate.server) as server,
        guarded_session(policy) as session,
    ):
        with pytest.raises(requests.ConnectionError, match="self-signed"):
            session.get(server.url)
        assert session.get(server.url, verify=certificate.path).text == "ok"


def test_the_environment_has_no_say(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(always(answer(b"proxy"))) as proxy, Server(always(answer())) as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with guarded_session(policy) as session:
            assert session.get(server.url).text == "ok"

        assert proxy.connections == 0


def test_a_proxy_given_by_hand_is_refused(policy: Policy) -> None:
    with (
        Server(always(answer())) as proxy,
        guarded_session(policy) as session,
    ):
        with pytest.raises(requests.ConnectionError, match="proxies are not used"):
            session.get("http://example.com/", proxies={"http": proxy.url})

        assert proxy.connections == 0


def test_a_request_has_a_time_out_without_being_asked(policy: Policy) -> None:
    started = monotonic()
    with (
        Server(silent) as server,
        guarded_session(policy, timeout=(0.2, 0.2)) as session,
    ):
        with pytest.raises(requests.Timeout):
            session.get(server.url)

        assert monotonic() - started < 20


def test_a_name_that_rebinds_is_resolved_once_for_each_connection(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(always(answer())) as server, guarded_session(policy) as session:
        asked: list[str] = []

        def resolve(host: str, port: int, *_: object) -> list[tuple[object, ...]]:
            asked.append(host)
            ip = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        for _ in range(2):
            assert session.get(f"http://rebind.example:{server.port}/").text == "ok"

    assert asked == ["rebind.example"]
