"""Stripe: Stripe-Signature over time and body.

https://docs.stripe.com/webhooks#verify-manually
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from automate.lib import signing
from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    SignatureRejected,
    SignatureScheme,
    Verified,
    payload_of,
    register,
    text_of,
    which_secret,
    within_tolerance,
)

# Stripe sends one for each secret that is being rolled, two; more is somebody trying.
MAX_SIGNATURES = 20


@register
class Stripe(SignatureScheme):
    """HMAC-SHA256 of "<t>.<body>" in hex: "t=...,v1=...,v1=..."; one "v1" suffices.

    Other versions ("v0", of test events) prove nothing.
    """

    name = "stripe"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,
    ) -> Verified:
        """The event's id and type, which are in the body. Raises SignatureRejected."""
        stamp, given = _read(raw.header("stripe-signature"))
        signed = stamp.encode("utf-8", "surrogateescape") + b"." + raw.body
        candidates = [signing.hmac_hex(secret, signed) for secret in secrets]
        place = which_secret(candidates, given, "Stripe-Signature")
        timestamp = within_tolerance(stamp, now, config["tolerance"])
        payload = payload_of(raw)
        return Verified(
            text_of(payload, "id"),
            text_of(payload, "type"),
            timestamp,
            place,
            # "pending_webhooks" counts down from one delivery to the next.
            body_varies=True,
        )

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002 - the contract's
        """The Stripe-Signature header: id and type are what the body says."""
        stamp = str(int(event.now.timestamp()))
        signature = signing.hmac_hex(event.secret, f"{stamp}.".encode() + event.body)
        return {"Stripe-Signature": f"t={stamp},v1={signature}"}


def _read(header: str) -> tuple[str, list[str]]:
    """The time and the signatures of version 1."""
    items = [item.strip(" ").partition("=") for item in header.split(",")]
    stamps = [text for name, _, text in items if name == "t"]
    if len(stamps) > 1:
        raise SignatureRejected("Stripe-Signature holds more than one time.")
    found = [text for name, _, text in items if name == "v1" and text]
    return "".join(stamps), found[:MAX_SIGNATURES]
