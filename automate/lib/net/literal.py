"""Addresses that stand in a URL as they are: told before any request is made.

A name is not looked up: what it leads to is known only when it is asked for.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, ip_address

from automate.lib.net.errors import NetError
from automate.lib.net.guard import Address, Policy, hint
from automate.lib.net.url import parse

_AUTHORITY = re.compile(r"(?i)(https?)://([^/?#\\]+)")
_ODD_IPV4 = re.compile(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){0,3}")


def refused(policy: Policy, url: str) -> str:
    """Why a request to this URL will be refused whatever name servers say; else empty.

    `url` may go on with a template behind its host. Empty too for what is no URL, which
    others tell.
    """
    found = _AUTHORITY.match(url.strip())
    if found is None or "{{" in found[2]:
        return ""
    try:
        host = parse(f"{found[1].lower()}://{found[2]}/").host.rstrip(".")
    except NetError:
        return ""
    address = _address(host)
    reason = policy.check(address) if address is not None else None
    if reason is None:
        return ""
    shown = host if host == str(address) else f"{host} is {address}, which"
    return f"{shown} is {reason}: {hint([reason])}"


def _address(host: str) -> Address | None:
    if host == "localhost" or host.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    try:
        return ip_address(host)
    except ValueError:
        pass
    if not _ODD_IPV4.fullmatch(host):
        return None
    try:
        return IPv4Address(socket.inet_aton(host))  # as resolvers read it
    except OSError:
        return None
