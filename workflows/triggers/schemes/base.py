"""What a signature scheme says of itself, as data."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"  # RFC 9110, section 5.6.2: token
DEFAULT_TOLERANCE = 300


def hex_secret() -> str:
    """64 random hexadecimal digits."""
    return secrets.token_hex(32)


def not_empty(secret: str) -> str:
    """Any text may be the secret."""
    return "" if secret else "must not be empty"


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to prove who sent a webhook.

    `options_schema` is JSON Schema 2020-12 of the options, an object that refuses
    additional properties; `defaults` are the options when they are left out.
    `id_header` carries the delivery id, which is the idempotency key by default, and
    `event_header` the event's name; empty when the provider sends none, or within the
    body. The options `id_header` and `event_header`, where the scheme has them, take
    their place. `signature_header` and `other_headers` are what proves the sender: no
    run keeps them.

    `new_secret` makes a secret; None: the provider makes it, and `shown_at` says
    where it shows it. `check_secret` says why a text cannot be the secret, or "".
    `aliases` are read as its name in documents.
    """

    name: str
    label: str
    secret_required: bool
    signature_header: str = ""
    other_headers: tuple[str, ...] = ()
    id_header: str = ""
    event_header: str = ""
    timestamp_header: str = ""
    options_schema: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "additionalProperties": False}
    )
    defaults: Mapping[str, Any] = field(default_factory=dict)
    new_secret: Callable[[], str] | None = hex_secret
    check_secret: Callable[[str], str] = not_empty
    shown_at: str = ""
    aliases: tuple[str, ...] = ()


def header(title: str, description: str = "") -> dict[str, Any]:
    """The schema of an option that names a header."""
    schema: dict[str, Any] = {
        "type": "string",
        "pattern": HEADER_NAME,
        "maxLength": 100,
        "title": title,
        "x-message": "must be the name of an HTTP header",
    }
    return {**schema, "description": description} if description else schema


def options(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a scheme's options."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


TOLERANCE: Mapping[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 86_400,
    "title": "Tolerance",
    "description": "Seconds that a timestamp may differ from our clock.",
}
PREFIX: Mapping[str, Any] = {"type": "string", "maxLength": 50, "title": "Prefix"}
ID_HEADER = header("Delivery id header", "The idempotency key by default.")
EVENT_HEADER = header("Event header", "What `events` is matched to.")
