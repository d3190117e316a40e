"""Whose address a request has, behind the proxies that are trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def source_ip(remote: str, forwarded: str, trusted: Sequence[Network]) -> str | None:
    """The sender's address: the last hop that none of the trusted proxies is.

    `forwarded` is X-Forwarded-For, believed from right to left as long as trusted
    proxies wrote it. None when the server knows no address.
    """
    current = _address(remote)
    if current is None:
        return None
    for hop in reversed(forwarded.split(",")):
        if not any(current in network for network in trusted):
            break
        earlier = _address(hop)
        if earlier is None:
            break
        current = earlier
    return str(current)


def _address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):  # [::1]:8080
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 192.0.2.1:8080
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
