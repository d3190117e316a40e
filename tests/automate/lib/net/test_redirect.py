"""What is sent after a redirect."""

from __future__ import annotations

import pytest

from automate.lib.net.errors import NetError
from automate.lib.net.redirect import Hop, follow, is_sensitive, location
from automate.lib.net.url import parse

START = "https://h.example/a/b?q=1"


def hop(method: str = "POST", *headers: tuple[str, str]) -> Hop:
    return Hop(method, parse(START), list(headers), b"body")


@pytest.mark.parametrize(
    ("status", "method", "after"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (301, "PUT", "PUT"),
        (302, "GET", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (308, "DELETE", "DELETE"),
    ],
)
def test_the_method_follows_rfc_9110(status: int, method: str, after: str) -> None:
    assert follow(hop(method), status, "/next").method == after


def test_a_body_that_is_dropped_takes_its_headers_with_it() -> None:
    before = hop("POST", ("Content-Type", "text/csv"), ("X-A", "b"))

    after = follow(before, 303, "/next")

    assert after.body is None
    assert after.headers == [("X-A", "b")]


def test_a_body_that_stays_keeps_its_headers() -> None:
    after = follow(hop("POST", ("Content-Type", "text/csv")), 307, "/next")

    assert after.body == b"body"
    assert after.headers == [("Content-Type", "text/csv")]


@pytest.mark.parametrize(
    ("where", "url"),
    [
        ("/next", "https://h.example/next"),
        ("next?x=1#f", "https://h.example/a/next?x=1"),
        ("?x=2", "https://h.example/a/b?x=2"),
        ("//other.example/x", "https://other.example/x"),
        ("http://other.example:8080", "http://other.example:8080/"),
        ("/sp ace", "https://h.example/sp%20ace"),
        ("/\u00c3\u00a9", "https://h.example/%C3%A9"),
    ],
)
def test_a_location_is_read_from_where_it_came(where: str, url: str) -> None:
    assert follow(hop(), 307, where).target.url == url


@pytest.mark.parametrize(
    "where",
    [
        "ftp://h.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://user:pw@h.example/",
        "http://[::1",
        "http://h:99999/",
        "/a\x00b",
    ],
)
def test_a_location_that_cannot_be_followed_is_an_error(where: str) -> None:
    with pytest.raises(NetError, match="cannot be followed") as caught:
        follow(hop(), 302, where)

    assert (caught.value.kind, caught.value.sent) == ("redirect", True)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "Host",
        "X-Api-Key",
        "apikey",
        "X-Auth",
        "X-Auth-Email",
        "X-Shopify-Access-Token",
        "X-Client-Secret",
        "PRIVATE-TOKEN",
        "DD-APPLICATION-KEY",
        "webhook-signature",
    ],
)
def test_a_credential_stays_with_its_origin(name: str) -> None:
    before = hop("GET", (name, "canary"), ("X-Plain", "kept"))

    assert is_sensitive(name)
    assert follow(before, 302, "/same").headers == before.headers
    for other in (
        "https://other.example/",
        "http://h.example/",
        "https://h.example:444/",
        "https://h.example./",
    ):
        assert follow(before, 302, other).headers == [("X-Plain", "kept")]


@pytest.mark.parametrize(
    "name", ["Idempotency-Key", "Content-Type", "webhook-id", "traceparent", "Accept"]
)
def test_a_header_that_is_no_credential_goes_along(name: str) -> None:
    assert not is_sensitive(name)


def test_only_a_redirect_with_a_location_is_one() -> None:
    headers = [("X", "y"), ("location", "/a"), ("Location", "/b")]

    assert location(302, headers) == "/a"
    assert location(302, []) is None
    assert location(200, headers) is None
    assert location(304, headers) is None
    assert location(300, headers) is None
