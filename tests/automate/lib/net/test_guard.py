"""Which addresses may be connected to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib.net import Policy
from automate.lib.net.guard import METADATA

FORBIDDEN = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "this network"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("100.64.0.1", "carrier-grade"),
    ("100.127.255.255", "carrier-grade"),
    ("100.100.100.200", "metadata"),
    ("169.254.1.1", "link-local"),
    ("169.254.169.254", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("192.0.0.8", "protocols"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.9", "documentation"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("192.88.99.1", "6to4 relay"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::7f00:1", "IPv4-compatible"),
    ("::ffff:127.0.0.1", "IPv4-mapped"),
    ("::ffff:8.8.8.8", "IPv4-mapped"),
    ("::ffff:0:8.8.8.8", "IPv4-translated"),
    ("64:ff9b::a9fe:a9fe", "NAT64"),
    ("64:ff9b::8.8.8.8", "NAT64"),
    ("64:ff9b:1::1", "NAT64"),
    ("100::1", "discard"),
    ("2001::1", "Teredo"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
    ("2001:2::1", "benchmarking"),
    ("2001:10::1", "protocols"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("2002:7f00:1::1", "6to4"),
    ("2002:808:808::1", "6to4"),
    ("fd00:ec2::254", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("fc00::1", "unique-local"),
    ("fdff::1", "unique-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("5f00::1", "reserved"),
    ("4000::1", "reserved"),
    ("1::1", "reserved"),
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
    "2001:4860:4860::8888",
    "2000::1",
]


@pytest.mark.parametrize(("ip", "reason"), FORBIDDEN)
def test_an_address_that_is_not_public_is_refused_with_its_reason(
    ip: str, reason: str
) -> None:
    found = Policy().check(ip)

    assert found is not None
    assert reason in found


@pytest.mark.parametrize("ip", PUBLIC)
def test_a_public_address_passes(ip: str) -> None:
    assert Policy().check(ip) is None


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("10.1.2.3", "10.1.0.0/16"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("::1", "::1/128"),
        ("fd00::5", "fd00::/8"),
        ("fe80::1%eth0", "fe80::/10"),
        ("::ffff:10.1.2.3", "10.1.0.0/16"),
    ],
)
def test_a_network_that_the_operator_allows_passes(ip: str, network: str) -> None:
    assert Policy([ip_network(network)]).check(ip) is None


@pytest.mark.parametrize(
    ("ip", "wide"),
    [
        ("169.254.169.254", "169.254.0.0/16"),
        ("169.254.169.254", "0.0.0.0/0"),
        ("100.100.100.200", "100.64.0.0/10"),
        ("::ffff:169.254.169.254", "::/0"),
        ("fd00:ec2::254", "fd00::/8"),
        ("fd20:ce::254", "::/0"),
    ],
)
def test_a_metadata_service_is_opened_by_no_wide_network(ip: str, wide: str) -> None:
    policy = Policy([ip_network(wide)])
    assert METADATA in str(policy.check(ip))
    alone = ip_network(ip.removeprefix("::ffff:"))
    assert Policy([alone]).check(ip) is None


def test_an_allowed_network_opens_nothing_beside_it() -> None:
    policy = Policy([ip_network("10.1.0.0/16")])

    assert policy.check("10.2.0.1") is not None
    assert policy.check("127.0.0.1") is not None
    assert policy.check("::ffff:10.2.0.1") is not None


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("64:ff9b::7f00:1", "64:ff9b::/96"),
        ("64:ff9b::a9fe:a9fe", "64:ff9b::/96"),
        ("64:ff9b:1::a00:1", "64:ff9b:1::/48"),
        ("64:ff9b:1:a00:0:100:808:808", "64:ff9b:1::/48"),
        ("2002:7f00:1::1", "2002::/16"),
        ("::ffff:127.0.0.1", "::ffff:0:0/96"),
        ("::ffff:0:127.0.0.1", "::ffff:0:0:0/96"),
        ("::7f00:1", "::/96"),
        # Teredo: the client's address is the complement of the last 32 bits.
        ("2001:0:808:808:0:0:80ff:fffe", "2001::/32"),
    ],
)
def test_a_forbidden_address_inside_an_allowed_form_is_refused(
    ip: str, network: str
) -> None:
    reason = Policy([ip_network(network)]).check(ip)

    assert reason is not None
    assert "inside an IPv6 address" in reason


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("64:ff9b::808:808", "64:ff9b::/96"),
        ("2002:808:808::1", "2002::/16"),
        ("64:ff9b:1:808:8:800:808:808", "64:ff9b:1::/48"),
    ],
)
def test_a_public_address_inside_an_allowed_form_passes(ip: str, network: str) -> None:
    assert Policy([ip_network(network)]).check(ip) is None


@given(st.ip_addresses())
def test_no_address_outside_the_public_space_passes(
    ip: IPv4Address | IPv6Address,
) -> None:
    if Policy().check(ip) is None:
        assert ip.is_global
        assert not ip.is_multicast
        assert not ip.is_reserved


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_never_passes_in_ipv6_clothes(ip: IPv4Address) -> None:
    value = int(ip)
    mapped = 0xFFFF_0000_0000 | value
    nat64 = (0x64FF9B << 96) | value
    sixtofour = (0x2002 << 112) | (value << 80) | 1

    for number in (value, mapped, nat64, sixtofour):
        assert Policy().check(IPv6Address(number)) is not None


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_allowed_exactly_where_its_ipv4_form_is(
    ip: IPv4Address,
) -> None:
    policy = Policy([ip_network("0.0.0.0/1")])
    mapped = IPv6Address(f"::ffff:{ip}")

    assert (policy.check(mapped) is None) == (ip in ip_network("0.0.0.0/1"))


def test_an_address_may_be_given_as_text_or_as_an_object() -> None:
    assert Policy().check(ip_address("10.0.0.1")) == Policy().check("10.0.0.1")
