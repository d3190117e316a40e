"""The bytes of a request's head."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.net.errors import NetError
from automate.lib.net.message import Request, Response, head
from automate.lib.net.redirect import Hop
from automate.lib.net.url import parse


def lines(
    *headers: tuple[str, str], method: str = "GET", body: bytes | None = None
) -> list[str]:
    hop = Hop(method, parse("http://h.example/p?q"), list(headers), body)
    text = head(hop, "Agent/1").decode("latin-1")
    assert text.endswith("\r\n\r\n")
    return text[:-4].split("\r\n")


def test_a_bare_request_gets_the_headers_that_it_needs() -> None:
    assert lines() == [
        "GET /p?q HTTP/1.1",
        "Host: h.example",
        "User-Agent: Agent/1",
        "Accept: */*",
        "Accept-Encoding: identity",
    ]


def test_the_callers_headers_replace_the_defaults() -> None:
    given_headers = [
        ("host", "other.example"),
        ("USER-AGENT", "mine"),
        ("accept", "text/csv"),
        ("accept-encoding", "gzip"),
    ]

    assert lines(*given_headers) == [
        "GET /p?q HTTP/1.1",
        *[f"{name}: {value}" for name, value in given_headers],
    ]


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("POST", b"abc", "3"), ("POST", None, "0"), ("PUT", b"", "0"), ("GET", b"x", "1")],
)
def test_the_length_is_that_of_the_body(
    method: str, body: bytes | None, length: str
) -> None:
    assert lines(method=method, body=body)[-1] == f"Content-Length: {length}"


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
def test_a_method_without_a_body_has_no_length(method: str) -> None:
    assert not any("Content-Length" in line for line in lines(method=method))


@pytest.mark.parametrize(
    "name",
    ["Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE", "Expect"],
)
def test_the_framing_is_not_the_callers(name: str) -> None:
    sent = lines((name, "chunked"), method="POST", body=b"ab")

    assert [line for line in sent if line.lower().startswith(name.lower())] == (
        ["Content-Length: 2"] if name == "Content-Length" else []
    )


@pytest.mark.parametrize("bad", ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "tok\n", "\x7f"])
def test_a_header_value_with_a_control_character_is_refused(bad: str) -> None:
    with pytest.raises(NetError, match="header 'X-Key' contains") as caught:
        lines(("X-Key", bad))

    assert (caught.value.kind, caught.value.sent) == ("protocol", False)


def test_the_message_about_a_bad_value_does_not_show_it() -> None:
    with pytest.raises(NetError) as caught:
        lines(("Authorization", "Bearer canary\n"))

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "\u00e9", "(x)"])
def test_a_bad_header_name_is_refused(name: str) -> None:
    with pytest.raises(NetError, match="header name"):
        lines((name, "x"))


@pytest.mark.parametrize("method", ["", "GET /", "A\r\n", "CONNECT"])
def test_a_bad_method_is_refused(method: str) -> None:
    with pytest.raises(NetError, match="method"):
        lines(method=method)


def test_two_host_headers_are_refused() -> None:
    with pytest.raises(NetError, match="two Host"):
        lines(("Host", "a"), ("host", "b"))


def test_a_value_beyond_latin_1_goes_as_utf_8() -> None:
    hop = Hop("GET", parse("http://h/"), [("X-Name", "\u4e16")], None)

    assert "X-Name: \u4e16\r\n".encode() in head(hop, "a")


@given(
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=20)), max_size=5),
    st.text(max_size=8),
)
def test_no_header_ever_adds_a_line(
    headers: list[tuple[str, str]], method: str
) -> None:
    hop = Hop(method, parse("http://h/"), headers, None)
    try:
        raw = head(hop, "a")
    except NetError:
        return

    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert raw.find(b"\r\n\r\n") == len(raw) - 4
    assert raw.count(b"\r\n") <= len(headers) + 7


def test_secrets_do_not_show_in_a_repr() -> None:
    request = Request("POST", "http://h/", {"Authorization": "canary"}, b"canary")
    response = Response(200, [("Set-Cookie", "canary")], b"canary", False, 0.1, "u")
    hop = Hop("GET", parse("http://h/"), [("Cookie", "canary")], b"canary")

    assert "canary" not in f"{request!r}{response!r}{hop!r}"
