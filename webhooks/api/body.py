"""What a program says of a webhook, and the trigger's config that it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from rest_framework import serializers

from automate.lib.durations import TEXT_PATTERN, parse_duration
from automate.lib.redaction import Redactor
from automate.lib.rest import StrictSerializer
from automate.lib.rest.described import TEXT
from automate.lib.rest.fields import AnyField
from workflows.triggers.schemes import HEADER_NAME, SCHEMES, named
from workflows.triggers.webhook_schema import CONFIG_SCHEMA

DEFAULT_SCHEME = "standard_webhooks"
HEADER_VALUE = r"^[\t\x20-\x7e\xa0-\xff]*$(?!\n)"
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
LONGEST_ROTATION = 90 * 86_400  # seconds
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
_is_sensitive = Redactor().is_sensitive


class OneOrMany(serializers.Field[Any, Any, Any, Any]):
    """A text or a list of texts; always a list afterwards."""

    json_schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [TEXT, {"type": "array", "items": TEXT}],
    }

    def to_internal_value(self, data: Any) -> list[str]:
        """The texts. Raises ValidationError for anything else."""
        found = [data] if isinstance(data, str) else data
        if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
            raise serializers.ValidationError("Give a text or a list of texts.")
        return found


class HeadersField(serializers.Field[Any, Any, Any, Any]):
    """Headers that must be there: a list of names, or names with their values."""

    json_schema: ClassVar[Mapping[str, Any]] = {
        "description": "Headers that must be there: names, or names with values.",
        "anyOf": [
            {"type": "array", "items": {"type": "string", "pattern": HEADER_NAME}},
            {
                "type": "object",
                "propertyNames": {"pattern": HEADER_NAME},
                "additionalProperties": {"type": ["string", "null"]},
            },
        ],
    }

    def to_internal_value(self, data: Any) -> dict[str, str | None]:
        """Names with the value that each must have; None: any."""
        if isinstance(data, list):
            if not all(isinstance(name, str) for name in data):
                raise serializers.ValidationError("Give names as texts.")
            data = dict.fromkeys(data)
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("Give names, or names with values.")
        found: dict[str, str | None] = {}
        for name, value in data.items():
            if not re.match(HEADER_NAME, name):
                raise serializers.ValidationError(f"{name!r} is no name of a header.")
            if value is not None and not isinstance(value, str):
                raise serializers.ValidationError(f"{name}: give its value as a text.")
            if value and _is_sensitive(name):
                raise serializers.ValidationError(
                    f"{name} proves the sender: say it as `authentication`."
                )
            found[name] = value or None
        return found


class SecondsField(serializers.Field[Any, Any, Any, Any]):
    """Seconds as a number, or a duration as a text: 3600, "24h"."""

    json_schema: ClassVar[Mapping[str, Any]] = {
        "description": 'Seconds, or a duration: `3600`, `"24h"`.',
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": LONGEST_ROTATION},
            {"type": "string", "pattern": TEXT_PATTERN},
        ],
    }

    def to_internal_value(self, data: Any) -> float:
        """Seconds. Raises ValidationError for less than none and more than 90 days."""
        try:
            if isinstance(data, bool) or not isinstance(data, int | float | str):
                raise ValueError
            seconds = (
                parse_duration(data).total_seconds()
                if isinstance(data, str)
                else float(data)
            )
        except (ValueError, OverflowError):
            raise serializers.ValidationError(
                'Give seconds, or a duration such as "24h".'
            ) from None
        if not 0 <= seconds <= LONGEST_ROTATION:
            raise serializers.ValidationError("Give 0 to 90 days.")
        return seconds


class WebhookBody(StrictSerializer):
    """`{"workflow_id", "event_type", "url_path", "method", "headers",
    "authentication"}`; all but the first may be left out."""

    workflow_id = serializers.CharField(max_length=100)
    event_type = OneOrMany(required=False, allow_null=True, default=None)
    url_path = serializers.CharField(
        required=False, allow_null=True, default=None, max_length=300
    )
    method = OneOrMany(required=False, allow_null=True, default=None)
    headers = HeadersField(required=False, allow_null=True, default=None)
    authentication = AnyField(
        required=False,
        allow_null=True,
        default=None,
        json_schema=AUTHENTICATION,
    )


class RotateBody(StrictSerializer):
    """`{"secret", "keep_previous"}`: one is made, and the old one serves a day on."""

    secret = serializers.CharField(
        required=False, allow_null=True, default=None, trim_whitespace=False
    )
    keep_previous = SecondsField(required=False, default=86_400.0)


class SentHeadersField(serializers.DictField):
    """Headers as a sender could send them (RFC 9110, section 5)."""

    child = serializers.CharField(allow_blank=True)
    json_schema: ClassVar[Mapping[str, Any]] = {
        "description": "Headers that are sent besides.",
        "type": "object",
        "propertyNames": {"pattern": HEADER_NAME},
        "additionalProperties": {"type": "string", "pattern": HEADER_VALUE},
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Names and values. Raises ValidationError for what cannot be sent."""
        found: dict[str, str] = super().to_internal_value(data)
        for name, value in found.items():
            if not re.match(HEADER_NAME, name):
                raise serializers.ValidationError(f"{name!r} is no name of a header.")
            if not re.match(HEADER_VALUE, value):
                raise serializers.ValidationError(
                    f"{name}: a header's value is one line of Latin-1."
                )
        return found


class TestBody(StrictSerializer):
    """`{"event_type", "payload", "headers"}`, each of which may be left out."""

    event_type = serializers.CharField(required=False, default="", max_length=200)
    payload = AnyField(required=False, allow_null=True)
    headers = SentHeadersField(required=False, default=dict)


class SwitchBody(StrictSerializer):
    """`{"is_active"}`."""

    is_active = serializers.BooleanField()


def config_of(body: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The config of a webhook trigger and its secret, None where one is to be made.

    Raises ValidationError for an authentication that cannot be read.
    """
    scheme, secret = authentication_of(body["authentication"])
    config: dict[str, Any] = dict(scheme)
    events = [name for name in body["event_type"] or () if name not in ("", "*")]
    if events:
        config["events"] = events
    if body["url_path"]:
        config["path"] = _path(body["url_path"])
    if body["method"]:
        config["methods"] = body["method"]
    headers: Mapping[str, str | None] = body["headers"] or {}
    if headers:
        config["required_headers"] = list(headers)
    values = {name: value for name, value in headers.items() if value is not None}
    if values:
        tests = (f"trigger.headers[{_text(k.lower())}] == {_text(v)}"
                 for k, v in values.items())  # fmt: skip
        config["condition"] = f"{{{{ {' and '.join(tests)} }}}}"
    return config, secret


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


def _path(given: str) -> str:
    """The path below the edge; people write it with the prefix of the address too."""
    bare = given.lstrip("/")
    for prefix in ("v1/webhooks/", "webhook/"):
        bare = bare.removeprefix(prefix)
    return bare


def _text(value: str) -> str:
    """A text as expressions write it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _names() -> set[str]:
    return {name for one in SCHEMES.values() for name in (one.name, *one.aliases)}


def _known() -> str:
    return ", ".join(sorted({*_names(), *ALIASES}))


def _wrong(text: str) -> serializers.ValidationError:
    return serializers.ValidationError({"authentication": [text]})
