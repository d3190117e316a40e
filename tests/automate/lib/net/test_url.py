"""URLs: one reading of a host, for every check."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.net.errors import NetError
from automate.lib.net.url import common_hosts, host_allowed, parse


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "path"),
    [
        ("http://Example.COM", "example.com", 80, "example.com", "/"),
        ("https://example.com:443/a", "example.com", 443, "example.com", "/a"),
        (
            "http://example.com:8080?x=1",
            "example.com",
            8080,
            "example.com:8080",
            "/?x=1",
        ),
        ("http://example.com./", "example.com.", 80, "example.com", "/"),
        ("http://[::1]:81/", "::1", 81, "[::1]:81", "/"),
        ("http://%31%32%37.0.0.1/", "127.0.0.1", 80, "127.0.0.1", "/"),
        ("http://\uff11\uff12\uff17.0.0.1/", "127.0.0.1", 80, "127.0.0.1", "/"),
        ("http://127\u30020\u30020\u30021/", "127.0.0.1", 80, "127.0.0.1", "/"),
        (
            "http://b\u00fccher.example/",
            "xn--bcher-kva.example",
            80,
            "xn--bcher-kva.example",
            "/",
        ),
        ("http://my_host/a b", "my_host", 80, "my_host", "/a%20b"),
        ("http://h/\u00e9?\u00e9#part", "h", 80, "h", "/%C3%A9?%C3%A9"),
        ("http://h/a%2Fb?c=%20&d=a+b", "h", 80, "h", "/a%2Fb?c=%20&d=a+b"),
    ],
)
def test_a_url_is_taken_apart(
    url: str, host: str, port: int, authority: str, path: str
) -> None:
    target = parse(url)

    assert (target.host, target.port) == (host, port)
    assert (target.authority, target.path) == (authority, path)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/", "scheme 'ftp'"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("gopher://127.0.0.1:70/_x", "scheme 'gopher'"),
        ("//example.com/", "scheme ''"),
        ("example.com", "scheme ''"),
        ("", "scheme ''"),
        ("http://", "host ''"),
        ("http:///path", "host ''"),
        ("http://./", "host '.'"),
        ("http://user:pw@example.com/", "user name or password"),
        ("http://example.com@127.0.0.1/", "user name or password"),
        ("http://127.0.0.1\\@example.com/", "user name or password"),
        ("http://example.com\\.evil/", "not a valid name"),
        ("http://a b/", "not a valid name"),
        ("http://exa%0d%0ample/", "not a valid name"),
        ("http://a%00b/", "not a valid name"),
        ("http://a%2fb/", "not a valid name"),
        ("http://h/\r\nX: y", "line break"),
        ("http://h\n/", "line break"),
        ("http://h/\x00", "line break"),
        ("ht\ttp://h/", "line break"),
        ("http://h:0/", "port 0"),
        ("http://h:65536/", "not valid"),
        ("http://h:-1/", "not valid"),
        ("http://h:x/", "not valid"),
        ("http://[::1/", "not valid"),
        ("http://[v1.x]/", "brackets"),
        ("http://[1::2::3]/", "not valid|not an IPv6 address"),
        ("http://h/" + "a" * 70_000, "longer than"),
    ],
)
def test_a_url_that_cannot_be_trusted_is_refused(url: str, reason: str) -> None:
    with pytest.raises(NetError, match=reason) as caught:
        parse(url)

    assert (caught.value.kind, caught.value.sent) == ("protocol", False)


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_a_net_error(text: str) -> None:
    try:
        target = parse(f"http://{text}")
    except NetError:
        return

    assert target.host == target.host.lower()
    assert target.path.isascii()
    assert not set(target.path + target.authority) & set(" \r\n\t\0@")


@given(st.text(max_size=30))
def test_a_target_reads_the_same_the_second_time(text: str) -> None:
    try:
        target = parse(f"http://h.example/{text}")
    except NetError:
        return

    assert parse(target.url) == target


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("example.com", "example.com"),
        ("example.com", "Example.COM."),
        ("example.com.", "example.com"),
        ("api.example.com", "*.example.com"),
        ("a.b.example.com", "*.example.com"),
        ("xn--bcher-kva.example", "b\u00fccher.example"),
        ("::1", "[::1]"),
    ],
)
def test_a_host_that_matches_is_allowed(host: str, allowed: str) -> None:
    assert host_allowed(host, {"other.example", allowed})


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("example.com", "*.example.com"),
        (".example.com", "*.example.com"),
        ("evilexample.com", "*.example.com"),
        ("example.com.evil.org", "example.com"),
        ("api.example.com", "example.com"),
        ("example.org", "*"),
        ("example.com", ""),
        ("example.com", "*."),
        ("example.com", "*.*"),
    ],
)
def test_a_host_that_does_not_match_is_not_allowed(host: str, allowed: str) -> None:
    assert not host_allowed(host, {allowed})


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"a.test"}, {"a.test", "b.test"}, {"a.test"}),
        ({"a.test"}, {"b.test"}, set()),
        ({"*.a.test"}, {"api.a.test"}, {"api.a.test"}),
        ({"*.a.test"}, {"*.b.a.test"}, {"*.b.a.test"}),
        ({"*.a.test"}, {"*.a.test"}, {"*.a.test"}),
        ({"*.a.test"}, {"a.test"}, set()),
        ({"*.a.test"}, {"any.a.test", "*"}, {"any.a.test"}),
        ({"*.b\u00fccher.example"}, {"x.xn--bcher-kva.example"}, None),
        ({"API.a.test."}, {"api.a.test"}, {"API.a.test.", "api.a.test"}),
        ({"*."}, {"a.test"}, set()),
        (set(), {"a.test"}, set()),
    ],
)
def test_hosts_in_common_are_those_that_both_lists_allow(
    first: set[str], second: set[str], expected: set[str] | None
) -> None:
    wanted = second if expected is None else expected
    assert common_hosts(first, second) == wanted
    assert common_hosts(second, first) == wanted


NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(".".join)
LISTS = st.frozensets(st.one_of(NAMES, NAMES.map("*.{}".format)), max_size=3)


@given(LISTS, LISTS, NAMES)
def test_a_host_is_in_common_exactly_when_both_lists_allow_it(
    first: frozenset[str], second: frozenset[str], host: str
) -> None:
    both = host_allowed(host, first) and host_allowed(host, second)
    assert host_allowed(host, common_hosts(first, second)) == both
