"""Schemes of no provider in particular: what many senders can be told to do."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from automate.lib.ids import new_secret
from workflows.triggers.schemes import secrets
from workflows.triggers.schemes.base import (
    DEFAULT_TOLERANCE,
    EVENT_HEADER,
    ID_HEADER,
    PREFIX,
    TOLERANCE,
    Scheme,
    header,
    options,
)

_HMAC_OPTIONS: dict[str, Any] = options(
    header=header("Header", "Where the signature travels."),
    prefix={
        **PREFIX,
        "description": 'What stands before the signature: "sha256=".',
    },
    encoding={"enum": ["hex", "base64"], "title": "Encoding"},
    hash={"enum": ["sha1", "sha256", "sha512"], "title": "Hash"},
    timestamp_header=header(
        "Timestamp header",
        "Unix seconds. When given, what is signed is the timestamp, a dot and "
        "the body: a timestamp outside the signature would prove nothing.",
    ),
    tolerance=TOLERANCE,
    id_header=ID_HEADER,
    event_header=EVENT_HEADER,
)
_NAMED = {"id_header": "", "event_header": ""}
_NAMED_OPTIONS = {"id_header": ID_HEADER, "event_header": EVENT_HEADER}

GENERIC = (
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
    # https://github.com/standard-webhooks/standard-webhooks, spec 1.0.0. The event's
    # name is the member `type` of the payload, so there is no header for it.
    Scheme(
        "standard_webhooks",
        "Standard Webhooks",
        secret_required=True,
        signature_header="webhook-signature",
        other_headers=("svix-signature",),
        id_header="webhook-id",
        timestamp_header="webhook-timestamp",
        options_schema=options(tolerance=TOLERANCE),
        defaults=MappingProxyType({"tolerance": DEFAULT_TOLERANCE}),
        new_secret=new_secret,
        check_secret=secrets.standard_webhooks,
    ),
    # RFC 6750, section 2.1.
    Scheme(
        "bearer",
        "Bearer token",
        secret_required=True,
        signature_header="Authorization",
        options_schema=options(**_NAMED_OPTIONS),
        defaults=MappingProxyType(_NAMED),
        check_secret=secrets.in_header,
    ),
    # "header" is an option too, so the options could not stand under that name.
    Scheme(
        "token",
        "Token in a header",
        secret_required=True,
        signature_header="X-Webhook-Token",
        options_schema=options(
            header=header("Header", "Where the token travels."),
            prefix={**PREFIX, "description": 'What stands before it: "Token ".'},
            **_NAMED_OPTIONS,
        ),
        defaults=MappingProxyType(
            {"header": "X-Webhook-Token", "prefix": "", **_NAMED}
        ),
        check_secret=secrets.in_header,
        aliases=("header",),
    ),
    # RFC 7617.
    Scheme(
        "basic",
        "User and password",
        secret_required=True,
        signature_header="Authorization",
        options_schema=options(**_NAMED_OPTIONS),
        defaults=MappingProxyType(_NAMED),
        new_secret=secrets.new_basic,
        check_secret=secrets.basic,
    ),
)
