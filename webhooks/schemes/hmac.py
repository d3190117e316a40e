"""A configurable HMAC: header, prefix, encoding, hash and, if wanted, a timestamp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from automate.lib import signing
from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    SignatureScheme,
    Verified,
    register,
    sent_with,
    which_secret,
    within_tolerance,
)


@register
class Hmac(SignatureScheme):
    """HMAC of the body, or of "<timestamp>.<body>" when a timestamp header is named.

    Hexadecimal is accepted in either case; base64 is compared as it is.
    """

    name = "hmac"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,
    ) -> Verified:
        """The id and name from the headers that the config says, if any.

        Raises SignatureRejected.
        """
        stamp = raw.header(config["timestamp_header"])
        signed = _signed(raw.body, config, stamp)
        candidates = [_signature(secret, signed, config) for secret in secrets]
        given = raw.header(config["header"])
        if config["encoding"] == "hex" and given.startswith(config["prefix"]):
            given = config["prefix"] + given.removeprefix(config["prefix"]).lower()
        place = which_secret(candidates, given, config["header"])
        timestamp = None
        if config["timestamp_header"]:
            timestamp = within_tolerance(stamp, now, config["tolerance"])
        return Verified(
            raw.header(config["id_header"]),
            raw.header(config["event_header"]),
            timestamp,
            place,
        )

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The headers that `verify` reads with the same config."""
        stamp = str(int(event.now.timestamp()))
        signed = _signed(event.body, config, stamp)
        headers = {config["header"]: _signature(event.secret, signed, config)}
        if config["timestamp_header"]:
            headers[config["timestamp_header"]] = stamp
        return headers | sent_with(event, config)


def _signed(body: bytes, config: Mapping[str, Any], stamp: str) -> bytes:
    if not config["timestamp_header"]:
        return body
    return stamp.encode("utf-8", "surrogateescape") + b"." + body


def _signature(secret: bytes, signed: bytes, config: Mapping[str, Any]) -> str:
    compute = signing.hmac_hex if config["encoding"] == "hex" else signing.hmac_base64
    return str(config["prefix"]) + compute(secret, signed, config["hash"])
