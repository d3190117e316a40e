"""What the next request of a redirect is (RFC 9110, section 15.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urljoin

from automate.lib.net.errors import NetError
from automate.lib.net.route import Route
from automate.lib.net.url import Target, check_controls, parse

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Credentials are for the origin they were meant for.
_SENSITIVE = re.compile(
    r"authorization|proxy-authorization|cookie|host|x-auth.*"
    r"|(.*[-_])?((api|access|auth|app|application|client|account)[-_]?key"
    r"|auth|token|secret|password|signature)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Hop:
    """One request of a chain of redirects."""

    method: str
    target: Target
    headers: list[tuple[str, str]] = field(repr=False)
    body: bytes | None = field(repr=False)
    route: Route | None = None


def is_sensitive(name: str) -> bool:
    """Whether a header of that name must not follow to another origin."""
    return _SENSITIVE.fullmatch(name) is not None


def location(status: int, headers: list[tuple[str, str]]) -> str | None:
    """Where an answer redirects to, if it does."""
    if status not in _REDIRECTS:
        return None
    return next((value for name, value in headers if name.lower() == "location"), None)


def follow(hop: Hop, status: int, where: str) -> Hop:
    """The next hop; NetError("redirect") when `where` cannot be followed.

    Credentials are dropped on a change of origin, Content-* with a dropped body.
    """
    where = where.encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        check_controls(where)  # urljoin drops tabs and line breaks
        target = parse(urljoin(hop.target.url, where))
    except (NetError, ValueError) as error:
        message = f"redirect to a URL that cannot be followed: {error}"
        raise NetError("redirect", message, sent=True) from None
    method = _next_method(status, hop.method)
    headers, route = hop.headers, hop.route
    if target.origin != hop.target.origin:
        headers = [each for each in headers if not is_sensitive(each[0])]
        route = route.anonymous() if route else None
    if method == hop.method:
        return Hop(method, target, headers, hop.body, route)
    headers = [each for each in headers if not each[0].lower().startswith("content-")]
    return Hop(method, target, headers, None, route)


def _next_method(status: int, method: str) -> str:
    """303 asks for a GET; 301 and 302 turn a POST into one, as browsers do."""
    if status == 303 and method != "HEAD":
        return "GET"
    if status in (301, 302) and method == "POST":
        return "GET"
    return method
