"""How senders prove who they are, as callers of the API write it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rest_framework import serializers

from automate.lib.rest.described import TEXT
from workflows.triggers.schemes import SCHEMES, named
from workflows.triggers.webhook_schema import CONFIG_SCHEMA

DEFAULT_SCHEME = "standard_webhooks"
# What other systems call our schemes, with the options that they mean by it.
ALIASES: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        "api_key": ("token", {"header": "X-Api-Key"}),
        "apikey": ("token", {"header": "X-Api-Key"}),
        "basic_auth": ("basic", {}),
        "bearer_token": ("bearer", {}),
        "hmac_sha1": ("hmac", {"hash": "sha1"}),
        "hmac_sha256": ("hmac", {"hash": "sha256"}),
        "hmac_sha512": ("hmac", {"hash": "sha512"}),
    }
)
SECRETS = ("secret", "token", "key", "api_key", "value")
AUTHENTICATION: Mapping[str, Any] = {
    "description": "How senders prove who they are: a scheme's name, or its name and "
    "options. Left out: `standard_webhooks`, with a secret that is made here.",
    "anyOf": [
        TEXT,
        {
            "type": "object",
            "properties": {
                "type": TEXT,
                "scheme": TEXT,
                "secret": {"type": ["string", "null"]},
            },
            "additionalProperties": True,
        },
    ],
}


def authentication_of(given: Any) -> tuple[dict[str, Any], str | None]:
    """The scheme with its options, and the secret that was given with it.

    A text is the scheme's name, an object `{"type" or "scheme", "secret" or "token" or
    "username" and "password", ...}` with the scheme's own options. Nothing means
    Standard Webhooks. Raises ValidationError.
    """
    if given is None:
        return {"scheme": DEFAULT_SCHEME}, None
    if isinstance(given, str):
        given = {"type": given}
    if not isinstance(given, Mapping):
        raise _wrong('Give {"type": "bearer", "token": "..."} or the name alone.')
    rest = dict(given)
    names = [rest.pop(key) for key in ("type", "scheme") if key in rest]
    if len(names) != 1 or not isinstance(names[0], str):
        raise _wrong(f"Give one type: {_known()}.")
    plain = names[0].lower().replace("-", "_")
    name, options = ALIASES.get(plain, (plain, {}))
    if name not in _names():
        raise _wrong(f"Unknown type {names[0]!r}. Known: {_known()}.")
    if name == "basic":
        _whole_user(rest)
    secret = _secret(rest)
    if "header_name" in rest:
        rest["header"] = rest.pop("header_name")
    _known_options(name, rest)
    return {"scheme": name, **options, **rest}, secret


def _whole_user(rest: Mapping[str, Any]) -> None:
    """A user has a password, and a password a user."""
    user = "user" if "user" in rest else "username"
    if (user in rest) != ("password" in rest):
        missing = "password" if user in rest else "username"
        raise serializers.ValidationError(
            {"authentication": {missing: ["is required"]}}
        )


def _known_options(name: str, rest: Mapping[str, Any]) -> None:
    """What is nobody's option is told with the options of this scheme."""
    scheme = SCHEMES.get(str(named(name)))
    if scheme is None:
        return
    own = sorted(scheme.options_schema.get("properties", {}))
    every = {key for one in SCHEMES.values()
             for key in one.options_schema.get("properties", {})}  # fmt: skip
    strange = rest.keys() - every - CONFIG_SCHEMA["properties"].keys()
    known = f"known here: {', '.join(own)}" if own else "none is allowed"
    if strange:
        raise serializers.ValidationError(
            {"authentication": {key: [f"unknown key ({known})"] for key in strange}}
        )


def _secret(rest: dict[str, Any]) -> str | None:
    """What was given as the secret, taken out of the options."""
    found = {key: rest.pop(key) for key in SECRETS if key in rest}
    user = [rest.pop(key) for key in ("username", "user") if key in rest]
    if user or "password" in rest:
        found["username and password"] = ":".join(
            map(str, (user[0] if user else "", rest.pop("password", "")))
        )
    if len(found) > 1:
        raise _wrong(f"Give one secret, not {' and '.join(found)}.")
    secret = next(iter(found.values()), None)
    if secret is not None and not isinstance(secret, str):
        raise _wrong("Give the secret as a text.")
    return secret


def _names() -> set[str]:
    return {name for one in SCHEMES.values() for name in (one.name, *one.aliases)}


def _known() -> str:
    return ", ".join(sorted({*_names(), *ALIASES}))


def _wrong(text: str) -> serializers.ValidationError:
    return serializers.ValidationError({"authentication": [text]})
