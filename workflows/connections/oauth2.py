"""Kind `oauth2_client_credentials`: tokens from a token endpoint (RFC 6749, 4.4).

The client proves itself by RFC 6749, 2.3.1: `client_secret_basic` (both parts encoded
as a form's) or `client_secret_post`; with a client certificate besides, by RFC 8705.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

from automate.lib import jsonio
from automate.lib.net import NetError, Request, Response
from automate.lib.net.url import host_allowed, parse
from automate.lib.net.waits import retry_after
from workflows.connections.base import BadConnection, Kind, SignInFailed, route_of
from workflows.connections.basic import basic
from workflows.connections.mtls import check_certificate
from workflows.connections.tokens import Token, tokens

if TYPE_CHECKING:
    from workflows.actions.base import ConnectionData, Context

LONGEST = 30.0
MOST_BYTES = 64 * 1024
USUAL_LIFE = 300.0  # for an endpoint that does not say how long its tokens hold
LONGEST_LIFE = 24 * 3600.0
PENDING = "(fetched when it is sent)"
RESERVED = frozenset({"grant_type", "client_id", "client_secret", "scope", "audience"})
_RETRIED_KINDS = frozenset({"name", "connect", "tls", "timeout", "reset", "unwanted"})
_RETRIED_STATUSES = frozenset({408, 425, 429})
_RETRIED_ERRORS = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
# What RFC 6750 lets a header carry; an endpoint's word is not put in unread.
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


class ClientCredentials(Kind):
    name = "oauth2_client_credentials"
    secrets = ("client_secret",)
    also = ("certificate", "private_key")
    readable = ("certificate",)
    options = (
        "token_url", "client_id", "scope", "audience", "token_auth", "token_extra",
    )  # fmt: skip
    optional = ("scope", "audience", "token_auth", "token_extra")
    signs_in = True

    def headers(self, link: ConnectionData) -> Iterable[tuple[str, str]]:
        token = link.credentials.get("access_token", PENDING)
        return (("Authorization", f"Bearer {token}"),)

    def check(
        self,
        options: Mapping[str, str],
        secrets: Mapping[str, str],
    ) -> Iterable[tuple[str, str]]:
        yield from check_certificate(secrets)
        try:
            parse(options.get("token_url", ""))
        except NetError as error:
            yield "token_url", f"This is no address of a token endpoint: {error}."
        try:
            _extra(options)
        except BadConnection as error:
            yield "token_extra", str(error)

    def hosts(self, options: Mapping[str, str]) -> frozenset[str]:
        try:
            return frozenset({parse(options.get("token_url", "")).host})
        except NetError:
            return frozenset()

    def sign_in(self, context: Context) -> ConnectionData:
        """With `access_token` among the credentials, which the redactor learns."""
        link = context.connection
        assert link is not None  # noqa: S101 - asked with one alone
        key = (link.id or link.name, _basis(link))
        until = monotonic() + context.timeout
        token = tokens.get(
            key,
            Token.stored(link.token),
            context.clock.now().timestamp(),
            until,
            lambda: _fetched(context, link, key[1], until),
        )
        context.redactor.learn(token.value)
        return replace(
            link, credentials={**link.credentials, "access_token": token.value}
        )

    def refused(self, link: ConnectionData, began: float, *, again: bool) -> bool:
        """The token may have been revoked before its time; so may the row's have been.

        Only two that were fetched for this very attempt say that no token will do.
        """
        value = link.credentials.get("access_token", "")
        key = (link.id or link.name, _basis(link))
        was_old = tokens.refuse(key, value, began)
        return was_old or not again


def _basis(link: ConnectionData) -> str:
    """What a token depends on, unreadable."""
    parts = [
        dict(sorted(link.options.items())),
        {name: link.credentials.get(name, "") for name in ("client_secret",)},
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _extra(options: Mapping[str, str]) -> dict[str, str]:
    """Further parameters, written `name=value`, one a line; raises BadConnection."""
    found = {}
    for line in options.get("token_extra", "").splitlines():
        if not line.strip():
            continue
        name, sign, value = line.strip().partition("=")
        if not sign or not name or name in RESERVED:
            raise BadConnection(f'"{line.strip()[:80]}" is no parameter name=value.')
        found[name] = value
    return found


def _fetched(context: Context, link: ConnectionData, basis: str, until: float) -> Token:
    """A new token; raises SignInFailed, whose message names the endpoint."""
    try:
        request = _request(link, min(LONGEST, max(until - monotonic(), 0.001)))
    except (BadConnection, KeyError) as error:
        what = f"lacks its {error.args[0]}" if isinstance(error, KeyError) else error
        message = f"the connection {link.name!r}: {what}"
        raise SignInFailed(message, retries=False) from None
    where = f"the token endpoint {parse(request.url).authority}"
    try:
        response = context.http.send(request)
    except NetError as error:
        raise SignInFailed(
            f"{where}: {error}",
            retries=error.kind in _RETRIED_KINDS,
            shared=error.kind != "unwanted",
        ) from None
    if response.status != 200:
        raise _refusal(context, where, response)
    return _read(where, response, context.clock.now().timestamp(), basis)


def _request(link: ConnectionData, timeout: float) -> Request:
    options = link.options
    secret = link.credentials["client_secret"]
    form = {"grant_type": "client_credentials"}
    for name in ("scope", "audience"):
        if options.get(name):
            form[name] = options[name]
    form |= _extra(options)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    if options.get("token_auth") == "client_secret_post":
        form |= {"client_id": options["client_id"], "client_secret": secret}
    else:
        login = quote_plus(options["client_id"]), quote_plus(secret)
        headers["Authorization"] = basic(*login)
    try:
        host = parse(options["token_url"]).host
    except NetError as error:
        raise BadConnection(f"its token URL cannot be used: {error}") from None
    if link.allowed_hosts and not host_allowed(host, link.allowed_hosts):
        raise BadConnection(f"{host}, the token endpoint, is not an allowed host")
    return Request(
        "POST",
        options["token_url"],
        headers,
        urlencode(form).encode(),
        timeout=round(timeout, 3),
        max_response=MOST_BYTES,
        allowed_hosts=frozenset({host}),
        route=route_of(link),
    )


def _refusal(context: Context, where: str, response: Response) -> SignInFailed:
    """RFC 6749, 5.2: a code and perhaps a sentence in JSON."""
    said = _object(response)
    code = str(said.get("error") or "")[:100]
    sentence = str(said.get("error_description") or "")[:300]
    message = f"{where} answered {response.status}"
    told = ": ".join(filter(None, (code, sentence)))
    if told:
        message += f": {context.redactor.text(told)}"
    status = response.status
    retries = status >= 500 or status in _RETRIED_STATUSES or code in _RETRIED_ERRORS
    given = {name.lower(): value for name, value in response.headers}
    after = retry_after(given.get("retry-after"), context.clock.now())
    return SignInFailed(message, retries=retries, after=after)


def _read(where: str, response: Response, now: float, basis: str) -> Token:
    """RFC 6749, 5.1. What it says is never repeated: it may hold the token."""
    said = _object(response)
    value, kind = said.get("access_token"), str(said.get("token_type") or "bearer")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise SignInFailed(f"{where} gave no access token", retries=False)
    if kind.lower() != "bearer":
        raise SignInFailed(f"{where} gave a token that is no bearer's", retries=False)
    return Token(value, now + _life(said.get("expires_in")), now, basis)


def _life(said: Any) -> float:
    """Seconds; some endpoints write the number as a text."""
    try:
        life = float(said)
    except (TypeError, ValueError, OverflowError):
        return USUAL_LIFE
    return min(max(life, 1.0), LONGEST_LIFE) if life == life else USUAL_LIFE


def _object(response: Response) -> Mapping[str, object]:
    try:
        said = jsonio.loads(response.body)
    except jsonio.BadJSON:
        return {}
    return said if isinstance(said, dict) else {}


KIND = ClientCredentials()
