"""Standard Webhooks 1.0, symmetric signatures (v1).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
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
    register,
    within_tolerance,
)

# Senders rotate with two or three; more is somebody trying.
MAX_SIGNATURES = 20


@register
class StandardWebhooks(SignatureScheme):
    """HMAC-SHA256 of "<id>.<timestamp>.<body>"; one of several signatures suffices."""

    name = "standard_webhooks"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,
    ) -> Verified:
        """The message's id and time. Raises SignatureRejected."""
        event_id = raw.header("webhook-id")
        stamp = raw.header("webhook-timestamp")
        signed = f"{event_id}.{stamp}.".encode("utf-8", "surrogatepass") + raw.body
        candidates = [
            "v1," + signing.hmac_base64(_key(secret), signed) for secret in secrets
        ]
        given = raw.header("webhook-signature").split()[:MAX_SIGNATURES]
        missing = [
            name
            for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
            if not raw.header(name)
        ]
        if missing:
            raise SignatureRejected(f"There is no {missing[0]} header.")
        if not signing.matches_any(candidates, given):
            raise SignatureRejected("webhook-signature does not match the message.")
        timestamp = within_tolerance(stamp, now, config["tolerance"])
        return Verified(event_id, "", timestamp)

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002 - the contract's
        """The three headers of a message."""
        stamp = int(event.now.timestamp())
        return {
            "webhook-id": event.event_id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": signing.standard_webhooks_signature(
                _key(event.secret), event.event_id, stamp, event.body
            ),
        }


def _key(secret: bytes) -> bytes:
    """The key of a "whsec_..." text; a text that is not base64 is the key itself."""
    try:
        return signing.decode_whsec(secret.decode("utf-8"))
    except ValueError:
        return secret
