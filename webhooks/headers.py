"""What is taken over from a request's headers, and what is not."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from automate.lib.redaction import Redactor

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_HEADERS = 100
MAX_BYTES = 16 * 1024

# Hop-by-hop (RFC 9110, section 7.6.1), what proxies add on the way, and what says
# something of the connection and not of the event.
_DROPPED = frozenset(
    {
        "connection", "content-length", "expect", "forwarded", "host", "http2-settings",
        "keep-alive", "proxy", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "via", "x-real-ip",
    }
)  # fmt: skip
_DROPPED_PREFIXES = ("proxy-", "x-forwarded-")
_is_sensitive = Redactor().is_sensitive
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
# granian hands the process' environment on with each request: HTTP_PROXY would look
# like a header, and may hold a password.
_AMBIENT = {name: text for name, text in os.environ.items() if name[:5] == "HTTP_"}


def read_headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """All headers of a WSGI request by lower-case name."""
    headers = {
        name[5:].replace("_", "-").lower(): text
        for name, text in environ.items()
        if name[:5] == "HTTP_" and (not _AMBIENT or _AMBIENT.get(name) != text)
    }
    for name, header in (
        ("CONTENT_TYPE", "content-type"),
        ("CONTENT_LENGTH", "content-length"),
    ):
        if environ.get(name):
            headers[header] = environ[name]
    return headers


def safe_headers(
    headers: Mapping[str, str], also_drop: Iterable[str] = ()
) -> dict[str, str]:
    """The headers that a run keeps: no credentials, signatures or hop-by-hop ones.

    At most 100, of 16 KiB together; later ones are left out. `also_drop` are further
    names in any case.
    """
    unwanted = _DROPPED | {name.lower() for name in also_drop}
    kept: dict[str, str] = {}
    room = MAX_BYTES
    for name, text in headers.items():
        if (
            name in unwanted
            or name.startswith(_DROPPED_PREFIXES)
            or _is_sensitive(name)
        ):
            continue
        room -= len(name) + len(text)
        if room < 0 or len(kept) == MAX_HEADERS:
            break
        kept[name] = text
    return kept


def traceparent(text: str) -> str:
    """A valid W3C traceparent as it came (a later version's first 55), else "".

    https://www.w3.org/TR/trace-context/#traceparent-header
    """
    text = text.strip()
    found = _TRACEPARENT.match(text)
    if found is None:
        return ""
    version, trace, parent = found.groups()
    rest = text[found.end() :]
    if version == "ff" or not trace.strip("0") or not parent.strip("0"):
        return ""
    if rest and (version == "00" or not rest.startswith("-")):
        return ""
    return found.group()


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
