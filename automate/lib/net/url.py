"""URLs and host names, normalised once so that every check sees the same host."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import SplitResult, quote, unquote, urlsplit

import idna

from automate.lib.net.errors import NetError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[a-z0-9._-]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What may stand in a path or a query (RFC 3986) stays as it was written.
_SAFE = "/?:@!$&'()*+,;=-._~%[]"
_LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: `host` as resolved (lower case, no brackets)."""

    scheme: str
    host: str
    port: int
    path: str
    authority: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(url: str) -> Target:
    """`url` taken apart; NetError("protocol") when it is not a plain http(s) URL."""
    if len(url) <= 2048:
        return _parse_cached(url)
    return _parse(url)


def _parse(url: str) -> Target:
    parts, port = _split(url)
    if parts.scheme not in _DEFAULT_PORTS:
        raise _refused(f"URL scheme {parts.scheme!r} is not http or https")
    if "@" in parts.netloc:
        raise _refused("URL carries a user name or password; use a connection")
    host = normalise_host(parts.hostname or "")
    shown = host.rstrip(".")
    authority = f"[{shown}]" if ":" in shown else shown
    default = _DEFAULT_PORTS[parts.scheme]
    if port not in (None, default):
        authority = f"{authority}:{port}"
    path = quote(parts.path, safe=_SAFE) or "/"
    if parts.query:
        path = f"{path}?{quote(parts.query, safe=_SAFE)}"
    return Target(parts.scheme, host, port or default, path, authority)


def _split(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > _LONGEST:
        raise _refused(f"URL longer than {_LONGEST} characters")
    check_controls(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused(f"URL is not valid: {error}") from None
    if "[" in parts.netloc and ":" not in (parts.hostname or ""):
        raise _refused("URL has brackets around something other than IPv6")
    if port == 0:
        raise _refused("port 0 cannot be connected to")
    return parts, port


def check_controls(url: str) -> None:
    """NetError("protocol") for what other readers of a URL would leave out."""
    if _CONTROL.search(url):
        raise _refused("URL contains a line break or another control character")


_parse_cached = lru_cache(maxsize=512)(_parse)


def normalise_host(host: str) -> str:
    """Lower case, ASCII, percent-decoded, without brackets; may end in a dot."""
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    host = unquote(host)
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            raise _refused(f"host {host!r} is not an IPv6 address") from None
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as error:
            raise _refused(f"host {host!r} is not a valid name: {error}") from None
    host = host.lower()
    if not _NAME.fullmatch(host) or not host.strip("."):
        raise _refused(f"host {host!r} is not a valid name")
    return host


def host_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Whether `host` is one of `allowed` (exact, or below a `*.` pattern)."""
    host = host.rstrip(".")
    for entry in allowed:
        pattern = entry.strip().lower().rstrip(".")
        if pattern.startswith("*."):
            suffix = _normal_or_raw(pattern[2:])
            if host.endswith(f".{suffix}") and len(host) > len(suffix) + 1:
                return True
        elif host == _normal_or_raw(pattern):
            return True
    return False


def common_hosts(first: Collection[str], second: Collection[str]) -> frozenset[str]:
    """The entries of either list of allowed hosts that the other one allows too.

    Empty when they have no host in common: to a request that would mean any host, so
    that callers refuse.
    """
    kept = {entry for entry in first if host_covered(entry, second)}
    return frozenset(kept | {entry for entry in second if host_covered(entry, first)})


def host_covered(entry: str, by: Iterable[str]) -> bool:
    """Whether each host that `entry` allows is allowed by one of `by`."""
    name = entry.strip().lower().rstrip(".")
    if not name.startswith("*."):
        return host_allowed(_normal_or_raw(name), by)
    # Below a domain lies what no list of single names covers.
    suffixes = [_suffix(other) for other in by]
    own = f".{_suffix(name)}"
    return any(other and own.endswith(f".{other}") for other in suffixes)


def _suffix(entry: str) -> str:
    """The domain of a `*.` pattern; empty for a single name."""
    name = entry.strip().lower().rstrip(".")
    return _normal_or_raw(name[2:]) if name.startswith("*.") else ""


def _normal_or_raw(host: str) -> str:
    try:
        return normalise_host(host)
    except NetError:
        return host


def _refused(message: str) -> NetError:
    return NetError("protocol", message, sent=False)
