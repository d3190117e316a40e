"""Slack: X-Slack-Signature over time and body, and the challenge to a new address.

https://docs.slack.dev/authentication/verifying-requests-from-slack
https://docs.slack.dev/reference/events/url_verification
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from automate.lib import jsonio, signing
from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    SignatureScheme,
    Verified,
    payload_of,
    register,
    text_of,
    which_secret,
    within_tolerance,
)

LONGEST_CHALLENGE = 1000
MAX_FIELDS = 100


@register
class Slack(SignatureScheme):
    """HMAC-SHA256 of "v0:<time>:<body>" in hex behind "v0=".

    An event's name is the type of what happened ("app_mention"), for a slash command
    the command ("/deploy"), for a click its type ("block_actions").
    """

    name = "slack"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,
    ) -> Verified:
        """The event's id and name, and a challenge. Raises SignatureRejected."""
        stamp = raw.header("x-slack-request-timestamp")
        candidates = [_signature(secret, stamp, raw.body) for secret in secrets]
        given = raw.header("x-slack-signature")
        place = which_secret(candidates, given, "X-Slack-Signature")
        timestamp = within_tolerance(stamp, now, config["tolerance"])
        payload = _payload(raw)
        name, challenge = text_of(payload, "type"), ""
        if name == "url_verification":
            challenge = text_of(payload, "challenge")[:LONGEST_CHALLENGE]
        inner = payload.get("event")
        if isinstance(inner, dict):
            name = text_of(inner, "type") or name
        name = name or text_of(payload, "command")
        event_id = text_of(payload, "event_id")
        return Verified(event_id, name, timestamp, place, challenge)

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002 - the contract's
        """The headers of a request by Slack: id and name are what the body says."""
        stamp = str(int(event.now.timestamp()))
        return {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": _signature(event.secret, stamp, event.body),
        }


def _signature(secret: bytes, stamp: str, body: bytes) -> str:
    signed = b"v0:" + stamp.encode("utf-8", "surrogateescape") + b":" + body
    return "v0=" + signing.hmac_hex(secret, signed)


def _payload(raw: RawRequest) -> Mapping[str, Any]:
    """The body's JSON, the fields of a slash command, or the JSON in a click's form."""
    kind = raw.header("content-type").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return payload_of(raw)
    try:
        text = raw.body.decode("utf-8", "replace")
        fields: dict[str, Any] = dict(parse_qsl(text, max_num_fields=MAX_FIELDS))
        inner = jsonio.loads(fields["payload"].encode()) if "payload" in fields else {}
    except (ValueError, jsonio.BadJSON):
        return {}
    return {**fields, **inner} if isinstance(inner, dict) else fields
