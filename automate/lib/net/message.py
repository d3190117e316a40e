"""Requests and responses as values, and the bytes of a request's head."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from automate.lib.net.errors import NetError
from automate.lib.net.redirect import Hop
from automate.lib.net.route import Route

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# The framing of the message is ours: a header of the caller's that contradicts it
# would let one request be read as two.
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_DEFAULTS = (("User-Agent", ""), ("Accept", "*/*"), ("Accept-Encoding", "identity"))
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True)
class Request:
    """One request; `timeout` is the total deadline in s, `max_response` in bytes.

    `allowed_hosts` restricts every hop: exact names, or `*.example.com`. `wanted` is
    asked once connected, immediately before the first byte leaves: False stops it.
    `route` is for those that do not go the plain way.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout: float = 15.0
    max_response: int = 1_048_576
    max_redirects: int = 0
    allowed_hosts: frozenset[str] = frozenset()
    wanted: Callable[[], bool] | None = field(default=None, repr=False, compare=False)
    route: Route | None = None


@dataclass(frozen=True)
class Response:
    """A full answer; `body` is decoded and cut at the request's `max_response`.

    `duration` in s; `url` is the last hop's.
    """

    status: int
    headers: list[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    truncated: bool
    duration: float
    url: str


def head(hop: Hop, user_agent: str) -> bytes:
    """The request line and header block (RFC 9112); NetError("protocol") if unsafe."""
    method, body = hop.method, hop.body
    if not _TOKEN.fullmatch(method) or method == "CONNECT":
        raise _refused(f"method {method[:40]!r} cannot be sent")
    lines = [f"{method} {hop.target.path} HTTP/1.1"]
    if hop.route is not None and hop.route.proxy and hop.target.scheme == "http":
        # In the clear a proxy reads the request itself (RFC 9112, 3.2.2).
        lines = [f"{method} {hop.target.url} HTTP/1.1"]
        if login := hop.route.proxy.authorization:
            lines.append(f"Proxy-Authorization: {login}")
    seen = _add_fields(lines, hop.headers)
    if "host" not in seen:
        lines.insert(1, f"Host: {hop.target.authority}")
    for name, value in _DEFAULTS:
        if name.lower() not in seen:
            lines.append(f"{name}: {value or user_agent}")
    if body is not None or method in _WITH_BODY:
        lines.append(f"Content-Length: {len(body or b'')}")
    text = "\r\n".join(lines) + "\r\n\r\n"
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _add_fields(lines: list[str], headers: list[tuple[str, str]]) -> set[str]:
    """The caller's headers as lines; returns their names in lower case."""
    seen: set[str] = set()
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise _refused(f"header name {name[:80]!r} is not valid")
        if _BAD_VALUE.search(value):
            raise _refused(
                f"header {name!r} contains a line break or another control character"
            )
        lower = name.lower()
        if lower in _OURS:
            continue
        if lower == "host" and lower in seen:
            raise _refused("two Host headers")
        seen.add(lower)
        lines.append(f"{name}: {value.strip()}")
    return seen


def _refused(message: str) -> NetError:
    return NetError("protocol", message, sent=False)
