"""Which addresses an outgoing request may connect to.

The tables follow IANA's special-purpose address registries (RFC 6890) and add the
metadata services of the large clouds. IPv6 is refused by default: only 2000::/3 is
assigned for global unicast (RFC 4291).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

METADATA = "a cloud metadata service"
_SETTING = "set AUTOMATE_ALLOWED_NETWORKS to permit it"
_NEVER = "it gives away this machine's own credentials, so nothing may call it"
Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def _table(*rows: tuple[str, str]) -> tuple[tuple[Network, str], ...]:
    return tuple((ip_network(network), reason) for network, reason in rows)


# The first match gives the reason, so narrow rows stand before wide ones.
_FORBIDDEN_V4 = _table(
    ("169.254.169.254/32", METADATA),
    ("100.100.100.200/32", METADATA),
    ("192.0.0.192/32", METADATA),
    ("168.63.129.16/32", METADATA),
    ("127.0.0.0/8", "a loopback address"),
    ("0.0.0.0/32", "the unspecified address"),
    ("0.0.0.0/8", "an address of this network"),
    ("10.0.0.0/8", "a private address"),
    ("172.16.0.0/12", "a private address"),
    ("192.168.0.0/16", "a private address"),
    ("100.64.0.0/10", "a carrier-grade NAT address"),
    ("169.254.0.0/16", "a link-local address"),
    ("192.0.2.0/24", "a documentation address"),
    ("198.51.100.0/24", "a documentation address"),
    ("203.0.113.0/24", "a documentation address"),
    ("192.0.0.0/24", "an address reserved for protocols"),
    ("192.88.99.0/24", "a 6to4 relay address"),
    ("198.18.0.0/15", "a benchmarking address"),
    ("224.0.0.0/4", "a multicast address"),
    ("255.255.255.255/32", "the broadcast address"),
    ("240.0.0.0/4", "a reserved address"),
)
_FORBIDDEN_V6 = _table(
    ("fd00:ec2::254/128", METADATA),
    ("fd20:ce::254/128", METADATA),
    ("::1/128", "a loopback address"),
    ("::/128", "the unspecified address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a site-local address"),
    ("fc00::/7", "a unique-local address"),
    ("ff00::/8", "a multicast address"),
    ("::ffff:0:0/96", "an IPv4-mapped address"),
    ("::ffff:0:0:0/96", "an IPv4-translated address"),
    ("::/96", "an IPv4-compatible address"),
    ("64:ff9b::/96", "a NAT64 address"),
    ("64:ff9b:1::/48", "a local NAT64 address"),
    ("100::/64", "a discard-only address"),
    ("2001:db8::/32", "a documentation address"),
    ("3fff::/20", "a documentation address"),
    ("2001:2::/48", "a benchmarking address"),
    ("2001::/32", "a Teredo address"),
    ("2001::/23", "an address reserved for protocols"),
    ("2002::/16", "a 6to4 address"),
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_LOW_32_BITS = 0xFFFFFFFF


@dataclass(frozen=True)
class Policy:
    """Public addresses, and those in `allowed_networks`, are permitted.

    A metadata service is permitted only by a network that is its address alone: a wide
    one was meant for something else.
    """

    allowed_networks: Sequence[Network] = ()

    def check(self, ip: str | Address) -> str | None:
        """None when `ip` may be connected to, else what it is.

        An IPv6 address that carries an IPv4 address must pass in both forms. Of an
        IPv4-mapped one the IPv4 form alone decides when it is allowed by name,
        because that is where the packets go.
        """
        address = ip_address(ip)
        if isinstance(address, IPv4Address):
            return self._check_plain(address, _FORBIDDEN_V4)
        if address.scope_id is not None:
            address = IPv6Address(int(address))
        if address.ipv4_mapped is not None and self._is_allowed(address.ipv4_mapped):
            return None
        reason = self._check_plain(address, _FORBIDDEN_V6)
        if reason is not None:
            hidden = next(filter(is_metadata, _embedded(address)), None)
            return reason if hidden is None else f"{reason} of {METADATA} ({hidden})"
        for inner in _embedded(address):
            inner_reason = self._check_plain(inner, _FORBIDDEN_V4)
            if inner_reason is not None:
                return f"{inner_reason} ({inner}) inside an IPv6 address"
        return None

    def _is_allowed(self, address: Address) -> bool:
        if is_metadata(address):
            return any(
                network.num_addresses == 1 and address in network
                for network in self.allowed_networks
            )
        return any(address in network for network in self.allowed_networks)

    def _check_plain(
        self, address: Address, forbidden: Sequence[tuple[Network, str]]
    ) -> str | None:
        if self._is_allowed(address):
            return None
        for network, reason in forbidden:
            if address in network:
                return reason
        if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
            return "a reserved address"
        return None


def is_metadata(address: Address) -> bool:
    """Whether the metadata service of a large cloud has this address."""
    table = _FORBIDDEN_V4 if isinstance(address, IPv4Address) else _FORBIDDEN_V6
    return any(address in network for network, what in table if what == METADATA)


def hint(reasons: Iterable[str]) -> str:
    """What to do about refused addresses, by what `check` said of them."""
    return _NEVER if any(METADATA in reason for reason in reasons) else _SETTING


def _embedded(address: IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that packets to `address` may end at."""
    value = int(address)
    low = IPv4Address(value & _LOW_32_BITS)
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    if address in IPv6Network("64:ff9b:1::/48"):
        return [low, IPv4Address(_rfc6052_48(value))]
    for prefix in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"):
        if address in IPv6Network(prefix):
            return [low]
    if address in IPv6Network("::/96") and value > 1:
        return [low]
    return []


def _rfc6052_48(value: int) -> int:
    """The IPv4 address behind a /48 prefix: 16 bits, the octet u, 16 bits."""
    return ((value >> 64) & 0xFFFF) << 16 | ((value >> 40) & 0xFFFF)
