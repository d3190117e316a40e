"""What a program says of a webhook, and the trigger's config that it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers

from automate.lib.durations import TEXT_PATTERN, parse_duration
from automate.lib.redaction import Redactor
from automate.lib.rest import StrictSerializer
from automate.lib.rest.described import TEXT
from automate.lib.rest.fields import AnyField
from webhooks.api.authentication import AUTHENTICATION, authentication_of
from workflows.triggers.schemes import HEADER_NAME

HEADER_VALUE = r"^[\t\x20-\x7e\xa0-\xff]*$(?!\n)"
LONGEST_ROTATION = 90 * 86_400  # seconds
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


def _path(given: str) -> str:
    """The path below the edge; people write it with the prefix of the address too."""
    bare = given.lstrip("/")
    for prefix in ("v1/webhooks/", "webhook/"):
        bare = bare.removeprefix(prefix)
    return bare


def _text(value: str) -> str:
    """A text as expressions write it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
