"""Which headers are read, kept and believed."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks import headers as module
from webhooks.headers import read_headers, safe_headers, source_ip, traceparent

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
VALID = f"00-{TRACE}-{PARENT}-01"


def test_headers_are_read_from_wsgi_by_lower_case_name() -> None:
    environ: dict[str, Any] = {
        "HTTP_X_HUB_SIGNATURE_256": "a",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "wsgi.input": object(),
        "PATH_INFO": "/",
    }
    assert read_headers(environ) == {
        "x-hub-signature-256": "a",
        "content-type": "text/plain",
        "content-length": "3",
    }


def test_the_process_environment_is_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AMBIENT", {"HTTP_PROXY": "http://u:canary@proxy"})
    environ = {"HTTP_PROXY": "http://u:canary@proxy", "HTTP_X_A": "1"}
    assert read_headers(environ) == {"x-a": "1"}


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-hub-signature",
        "x-hub-signature-256",
        "webhook-signature",
        "stripe-signature",
        "x-gitlab-token",
        "x-api-key",
        "x-forwarded-for",
        "x-forwarded-proto",
        "forwarded",
        "via",
        "connection",
        "keep-alive",
        "transfer-encoding",
        "te",
        "upgrade",
        "host",
        "content-length",
        "proxy",
    ],
)
def test_credentials_signatures_and_hops_are_not_kept(name: str) -> None:
    assert safe_headers({name: "canary", "x-kept": "1"}) == {"x-kept": "1"}


@pytest.mark.parametrize(
    "name", ["x-github-event", "user-agent", "webhook-id", "idempotency-key", "accept"]
)
def test_what_says_something_of_the_event_is_kept(name: str) -> None:
    assert safe_headers({name: "x"}) == {name: "x"}


def test_the_schemes_own_header_is_not_kept_whatever_its_case() -> None:
    assert safe_headers({"x-proof": "canary"}, ["X-Proof"]) == {}


def test_at_most_a_hundred_headers_are_kept() -> None:
    kept = safe_headers({f"x-{number}": "a" for number in range(1000)})
    assert list(kept) == [f"x-{number}" for number in range(100)]


def test_at_most_16_kib_of_headers_are_kept() -> None:
    kept = safe_headers({f"x-{number}": "a" * 1000 for number in range(50)})
    assert 15_000 < sum(len(k) + len(v) for k, v in kept.items()) <= 16 * 1024


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (VALID, VALID),
        (f" {VALID} ", VALID),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-brings", f"cc-{TRACE}-{PARENT}-01"),
        (f"cc-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-01"),
        (f"{VALID}-more", ""),
        (f"{VALID}0", ""),
        (f"cc-{TRACE}-{PARENT}-01x", ""),
        (f"ff-{TRACE}-{PARENT}-01", ""),
        (f"00-{'0' * 32}-{PARENT}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (VALID.upper(), ""),
        (VALID[:-1], ""),
        (f"{VALID},{VALID}", ""),
        ("", ""),
    ],
)
def test_only_a_valid_traceparent_is_taken_over(text: str, kept: str) -> None:
    assert traceparent(text) == kept


@given(st.text())
def test_any_other_text_is_no_traceparent(text: str) -> None:
    assert traceparent(text) == ""


PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("remote", "forwarded", "found"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, garbage, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("fd00::1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.5", "", "203.0.113.5"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("", "198.51.100.1", None),
        ("unix:", "198.51.100.1", None),
    ],
)
def test_the_sender_is_the_last_hop_that_no_trusted_proxy_is(
    remote: str, forwarded: str, found: str | None
) -> None:
    assert source_ip(remote, forwarded, PROXIES) == found


@given(remote=st.text(), forwarded=st.text())
def test_whatever_is_said_the_sender_is_an_address_or_unknown(
    remote: str, forwarded: str
) -> None:
    unproven = source_ip(remote, forwarded, PROXIES)
    assert unproven is None or str(ip_address(unproven)) == unproven
    behind = source_ip("10.0.0.1", forwarded, PROXIES)
    assert behind is not None
    assert str(ip_address(behind)) == behind
