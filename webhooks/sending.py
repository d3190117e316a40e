"""Posting an event to a webhook as its provider would: for people and for the demo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import requests

from automate.lib import jsonio
from webhooks import schemes
from webhooks.lookup import Entry
from workflows.triggers.schemes import options_of, scheme_of


class CannotSend(Exception):
    """The event cannot be made or delivered; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request, ready to be sent."""

    method: str
    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the edge answered; `data` is its JSON, or its text."""

    status: int
    location: str
    data: Any

    @property
    def ok(self) -> bool:
        """Whether the event was taken: accepted, known already, or filtered."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Sender:
    """By which scheme, with which options and secret a provider signs."""

    config: Mapping[str, Any]
    secret: str = field(repr=False)
    method: str = "POST"

    @classmethod
    def for_trigger(
        cls, entry: Entry | None, scheme: str | None = None, secret: str | None = None
    ) -> Sender:
        """As the trigger has it, unless `scheme` and `secret` say otherwise.

        Raises CannotSend when something is missing.
        """
        config: Mapping[str, Any] = entry.config if entry else {}
        if scheme is None and entry is None:
            raise CannotSend(
                "This database has no such webhook; say --scheme (and --secret)."
            )
        if scheme is not None and scheme != config.get("scheme", "none"):
            config = {"scheme": scheme}
        if secret is None and entry and isinstance(entry.secret, str):
            secret = entry.secret
        if not secret and scheme_of(config).secret_required:
            why = f"It is {entry.secret}." if entry and entry.secret else ""
            raise CannotSend(f"The secret is not known here; say --secret. {why}")
        methods = entry.config.get("methods", ["POST"]) if entry else ["POST"]
        return cls(config, secret or "", methods[0])

    def delivery(
        self,
        url: str,
        body: bytes,
        *,
        event: str = "",
        event_id: str = "",
        headers: Mapping[str, str] | None = None,
        now: datetime | None = None,
    ) -> Delivery:
        """The signed request; `headers` are added, or take the place of its own.

        Raises CannotSend when this secret cannot sign.
        """
        given = {name.lower(): text for name, text in (headers or {}).items()}
        outgoing = schemes.Outgoing(
            body,
            self.secret.encode(),
            now or datetime.now(UTC),
            event_id or str(uuid4()),
            event,
            url,
            given.get("content-type") or _content_type(body),
        )
        scheme, options = (
            schemes.get(scheme_of(self.config).name),
            options_of(self.config),
        )
        own = {"Content-Type": outgoing.content_type}
        try:
            own |= scheme.sign(outgoing, options)
        except schemes.CannotSign as error:
            raise CannotSend(str(error)) from None
        own = {name: text for name, text in own.items() if name.lower() not in given}
        target = scheme.address(outgoing, options)
        return Delivery(self.method, target, body, {**own, **(headers or {})})


def address(base: str, key: str) -> str:
    """The URL of a webhook below the site's address."""
    return f"{base.rstrip('/')}/v1/webhooks/{quote(key.lstrip('/'))}"


def send(delivery: Delivery, timeout: float = 30.0) -> Reply:
    """Post it. Raises CannotSend when nobody answers within `timeout` seconds."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.request(
                delivery.method,
                delivery.url,
                data=delivery.body,
                headers=dict(delivery.headers),
                timeout=timeout,
                allow_redirects=False,
            )
        except (requests.RequestException, UnicodeError) as error:
            raise CannotSend(f"{delivery.url} does not answer: {error}") from None
    try:
        data = jsonio.loads(answer.content)
    except jsonio.BadJSON:
        data = answer.text
    return Reply(answer.status_code, answer.headers.get("Location", ""), data)


def _content_type(body: bytes) -> str:
    try:
        jsonio.loads(body)
    except jsonio.BadJSON:
        return "application/octet-stream"
    return "application/json"
