"""The request that an HTTP step would send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import automate
from automate.lib import jsonio
from automate.lib.net import Request, Route
from automate.lib.net.url import common_hosts
from automate.lib.signing import standard_webhooks_signature
from workflows.actions.base import ConnectionData, Context
from workflows.actions.http_request.schema import (
    BODY_FORMATS,
    MAX_REDIRECTS,
    METHODS,
    ON_GONE,
    RESPONSE_FORMATS,
)
from workflows.connections import BadConnection, kind_of, route_of
from workflows.connections.basic import basic

USER_AGENT = f"Automate/{automate.__version__}"
CONTENT_TYPES = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}
_MEDIA_TYPE = re.compile(
    r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}(\s*;[\x20-\x7e]{1,200})?", re.ASCII
)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class BadConfig(ValueError):
    """The rendered config cannot become a request; the message says why."""


class Headers:
    """Header fields in order; the first value given for a name stays."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._names: set[str] = set()

    def add(self, name: str, value: str) -> None:
        if name.lower() not in self._names:
            self._names.add(name.lower())
            self.fields[name] = value


def preview(context: Context) -> Request:
    """The request for a rendered config, credentials included, without sending it.

    Raises BadConfig.
    """
    config, connection = context.config, context.connection
    if config.get("connection") and connection is None:
        raise BadConfig(f"the connection {config['connection']!r} is not available")
    method = config.get("method", "POST")
    if not isinstance(method, str) or method.upper() not in METHODS:
        raise BadConfig(f"method must be one of {', '.join(METHODS)}")
    _check_reading(config)
    body, content_type = _body(context)
    headers = Headers()
    for name, value in _mapping(config, "headers").items():
        if value is not None:
            headers.add(name, _text(value, f"headers.{name}"))
    url = _url(config, connection, headers)
    if connection is not None:
        _apply(connection, headers)
    if content_type:
        headers.add("Content-Type", content_type)
    headers.add("User-Agent", USER_AGENT)
    if context.idempotency_key:
        headers.add("Idempotency-Key", context.idempotency_key)
    if context.run.traceparent:
        headers.add("traceparent", context.run.traceparent)
    _sign(context, headers, body or b"")
    limit = _integer(config, "max_response", context.max_response, None)
    return Request(
        method=method.upper(),
        url=url,
        headers=headers.fields,
        body=body,
        timeout=context.timeout,
        max_response=min(limit, context.max_response),
        max_redirects=_integer(config, "max_redirects", 0, MAX_REDIRECTS),
        allowed_hosts=_allowed_hosts(context),
        route=_route(connection),
    )


def _check_reading(config: Mapping[str, Any]) -> None:
    """What is used only once the answer is there must be right before sending."""
    if config.get("on_gone", "fail") not in ON_GONE:
        raise BadConfig(f"on_gone must be one of {', '.join(ON_GONE)}")
    for key in ("success_statuses", "retry_on"):
        if not isinstance(config.get(key, []), list):
            raise BadConfig(f"{key} must be a list")
    if config.get("response_format", "auto") not in RESPONSE_FORMATS:
        raise BadConfig(f"response_format must be one of {', '.join(RESPONSE_FORMATS)}")


def _body(context: Context) -> tuple[bytes | None, str]:
    """The bytes to send and their content type; None without a body."""
    config = context.config
    value = config.get("body")
    if value is None:
        return None, ""
    given = config.get("body_format") or ("text" if isinstance(value, str) else "json")
    if given not in BODY_FORMATS:
        raise BadConfig(f"body_format must be one of {', '.join(BODY_FORMATS)}")
    if given == "file":
        return _file(context, value)
    try:
        return _encoded(value, given), CONTENT_TYPES[given]
    except (ValueError, TypeError) as error:
        if isinstance(error, BadConfig):
            raise
        raise BadConfig(f"body cannot be sent as {given}") from None


def _file(context: Context, value: Any) -> tuple[bytes, str]:
    """A file of the event, and the type that its sender gave it, if it is one."""
    try:
        data = context.read_file(value)
    except ValueError as error:
        raise BadConfig(f"body cannot be read as a file: {error}") from None
    said = value.get("content_type")
    is_type = isinstance(said, str) and _MEDIA_TYPE.fullmatch(said)
    return data, said if is_type else "application/octet-stream"


def _encoded(value: Any, body_format: str) -> bytes:
    if body_format == "json":
        return jsonio.dumps(value).encode()
    if body_format == "form":
        if not isinstance(value, dict):
            raise BadConfig("body must be an object of names and values for a form")
        return urlencode(_pairs(value, "body")).encode()
    if isinstance(value, dict | list):
        raise BadConfig("body must be text for the body_format text")
    return _text(value, "body").encode()


def _url(
    config: Mapping[str, Any], connection: ConnectionData | None, headers: Headers
) -> str:
    """Absolute, with the query added; a login in it moves to the headers."""
    url = config.get("url")
    if not isinstance(url, str) or not url.strip():
        raise BadConfig("url must not be empty")
    url = url.strip()
    if not _ABSOLUTE.match(url):
        if connection is None or not connection.base_url:
            raise BadConfig(
                "url must begin with https:// or http://, or the step needs a "
                "connection with a base URL"
            )
        if url.startswith("?"):
            url = connection.base_url + url
        else:
            url = f"{connection.base_url.rstrip('/')}/{url.lstrip('/')}"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadConfig("url is not valid") from None
    login, _, host = parts.netloc.rpartition("@")
    if login:
        user, _, password = login.partition(":")
        headers.add("Authorization", basic(unquote(user), unquote(password)))
    added = urlencode(_pairs(_mapping(config, "query"), "query"))
    query = "&".join(filter(None, (parts.query, added)))
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _pairs(values: Mapping[str, Any], where: str) -> list[tuple[str, str]]:
    """Names and texts for a query or form: lists repeat the name, null is left out."""
    pairs = []
    for name, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                pairs.append((name, _text(item, f"{where}.{name}")))
    return pairs


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise BadConfig(f"{where} must be text, a number, or true or false")


def _mapping(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadConfig(f"{key} must be an object of names and values")
    return value


def _integer(config: Mapping[str, Any], key: str, default: int, top: int | None) -> int:
    value: Any = config.get(key, default)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:18])
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadConfig(f"{key} must be a whole number")
    if top is not None and value > top:
        raise BadConfig(f"{key} must be at most {top}")
    return int(value)


def _apply(connection: ConnectionData, headers: Headers) -> None:
    """A connection's credentials, unless the step sets the header itself."""
    kind = kind_of(connection.kind)
    if kind is None:
        raise BadConfig(
            f"a connection of the kind {connection.kind!r} cannot be used by an HTTP"
            " step"
        )
    try:
        for name, value in kind.headers(connection):
            headers.add(name, value)
    except KeyError as error:
        raise BadConfig(
            f"the connection {connection.name!r} lacks its {error.args[0]}"
        ) from None


def _route(connection: ConnectionData | None) -> Route | None:
    try:
        return route_of(connection) if connection is not None else None
    except BadConnection as error:
        assert connection is not None  # noqa: S101 - it is the one that is bad
        raise BadConfig(f"the connection {connection.name!r}: {error}") from None


def _sign(context: Context, headers: Headers, body: bytes) -> None:
    """Standard Webhooks 1.0; its message id is the same for every attempt.

    Several secrets, separated by spaces, make as many signatures.
    """
    signing = context.config.get("signing")
    if not signing:
        return
    secret = signing.get("secret") if isinstance(signing, dict) else None
    if not isinstance(secret, str) or not secret.strip():
        raise BadConfig("signing.secret must be text")
    now = int(context.clock.now().timestamp())
    key = context.idempotency_key
    try:
        signatures = [
            standard_webhooks_signature(one, key, now, body) for one in secret.split()
        ]
    except ValueError:
        raise BadConfig('signing.secret must be "whsec_" followed by base64') from None
    headers.add("webhook-id", key)
    headers.add("webhook-timestamp", str(now))
    headers.add("webhook-signature", " ".join(signatures))


def _allowed_hosts(context: Context) -> frozenset[str]:
    """Hosts that may get the connection's credentials and the secrets used."""
    connection, secrets = context.connection, context.allowed_hosts
    if connection is None:
        return secrets
    own = connection.allowed_hosts
    if not own:
        try:
            host = urlsplit(connection.base_url).hostname
        except ValueError:
            host = None
        if not host:
            raise BadConfig(
                f"the connection {connection.name!r} needs a base URL or allowed hosts"
            )
        own = frozenset({host})
    if not secrets:
        return own
    both = common_hosts(own, secrets)
    if not both:
        raise BadConfig("the connection and the secrets used are for different hosts")
    return both
