"""What is taken over from a request's headers, and what is not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from automate.lib.proxies import source_ip as source_ip
from automate.lib.redaction import Redactor

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
