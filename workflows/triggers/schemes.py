"""Signature schemes as data: names, options and defaults; no verification here.

`webhooks/schemes/` verifies, one module a scheme, and reads this table. A scheme's
options are stored in a trigger's config under the scheme's own name:

    {"scheme": "hmac", "hmac": {"header": "X-Signature", "prefix": "sha256="}}

and may be written flat beside `scheme`; `workflows.triggers.webhook` moves them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from automate.lib.ids import new_secret

HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"  # RFC 9110, section 5.6.2: token
DEFAULT_TOLERANCE = 300


def _hex_secret() -> str:
    return secrets.token_hex(32)


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to prove who sent a webhook.

    `options_schema` is JSON Schema 2020-12 of the options, an object that refuses
    additional properties; `defaults` are the options when they are left out.
    `id_header` carries the delivery id, which is the idempotency key by default, and
    `event_header` the event's name; empty when the provider sends none. The options
    `id_header` and `event_header`, where the scheme has them, take their place.
    """

    name: str
    label: str
    secret_required: bool
    signature_header: str = ""
    id_header: str = ""
    event_header: str = ""
    timestamp_header: str = ""
    options_schema: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "additionalProperties": False}
    )
    defaults: Mapping[str, Any] = field(default_factory=dict)
    new_secret: Callable[[], str] = _hex_secret


def _header(title: str, description: str = "") -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "string",
        "pattern": HEADER_NAME,
        "maxLength": 100,
        "title": title,
        "x-message": "must be the name of an HTTP header",
    }
    return {**schema, "description": description} if description else schema


_TOLERANCE = {
    "type": "integer",
    "minimum": 1,
    "maximum": 86_400,
    "title": "Tolerance",
    "description": "Seconds that a timestamp may differ from our clock.",
}

_HMAC_OPTIONS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "header": _header("Header", "Where the signature travels."),
        "prefix": {
            "type": "string",
            "maxLength": 50,
            "title": "Prefix",
            "description": 'What stands before the signature: "sha256=".',
        },
        "encoding": {"enum": ["hex", "base64"], "title": "Encoding"},
        "hash": {"enum": ["sha1", "sha256", "sha512"], "title": "Hash"},
        "timestamp_header": _header(
            "Timestamp header",
            "Unix seconds. When given, what is signed is the timestamp, a dot and "
            "the body: a timestamp outside the signature would prove nothing.",
        ),
        "tolerance": _TOLERANCE,
        "id_header": _header("Delivery id header", "The idempotency key by default."),
        "event_header": _header("Event header", "What `events` is matched to."),
    },
}

_ALL = (
    Scheme("none", "No signature", secret_required=False),
    Scheme(
        "hmac",
        "HMAC, configurable",
        secret_required=True,
        signature_header="X-Signature",
        options_schema=_HMAC_OPTIONS,
        defaults=MappingProxyType(
            {
                "header": "X-Signature",
                "prefix": "",
                "encoding": "hex",
                "hash": "sha256",
                "timestamp_header": "",
                "tolerance": DEFAULT_TOLERANCE,
                "id_header": "",
                "event_header": "",
            }
        ),
    ),
    # https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
    Scheme(
        "github",
        "GitHub",
        secret_required=True,
        signature_header="X-Hub-Signature-256",
        id_header="X-GitHub-Delivery",
        event_header="X-GitHub-Event",
    ),
    # https://github.com/standard-webhooks/standard-webhooks, spec 1.0.0. The event's
    # name is the member `type` of the payload, so there is no header for it.
    Scheme(
        "standard_webhooks",
        "Standard Webhooks",
        secret_required=True,
        signature_header="webhook-signature",
        id_header="webhook-id",
        timestamp_header="webhook-timestamp",
        options_schema={
            "type": "object",
            "additionalProperties": False,
            "properties": {"tolerance": _TOLERANCE},
        },
        defaults=MappingProxyType({"tolerance": DEFAULT_TOLERANCE}),
        new_secret=new_secret,
    ),
)

SCHEMES: Mapping[str, Scheme] = MappingProxyType({item.name: item for item in _ALL})


def scheme_of(config: Mapping[str, Any]) -> Scheme:
    """The scheme that a stored trigger config names; KeyError for an unknown one."""
    return SCHEMES[config.get("scheme", "none")]


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The scheme's options of a stored trigger config, with the defaults filled in."""
    scheme = scheme_of(config)
    return {**scheme.defaults, **config.get(scheme.name, {})}


def id_header(config: Mapping[str, Any]) -> str:
    """The header that carries the delivery id by the scheme, or an empty text."""
    return str(options_of(config).get("id_header") or scheme_of(config).id_header)


def event_header(config: Mapping[str, Any]) -> str:
    """The header that carries the event's name by the scheme, or an empty text."""
    return str(options_of(config).get("event_header") or scheme_of(config).event_header)
