"""Shopify: X-Shopify-Hmac-SHA256 over the body.

https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
"""

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
    which_secret,
)


@register
class Shopify(SignatureScheme):
    """HMAC-SHA256 of the body in base64; nothing else is signed."""

    name = "shopify"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],  # noqa: ARG002 - the contract's
        secrets: Sequence[bytes],
        now: datetime,  # noqa: ARG002 - the contract's
    ) -> Verified:
        """The delivery's id and the topic. Raises SignatureRejected."""
        candidates = [signing.hmac_base64(secret, raw.body) for secret in secrets]
        given = raw.header("x-shopify-hmac-sha256")
        return Verified(
            raw.header("x-shopify-webhook-id"),
            raw.header("x-shopify-topic"),
            secret=which_secret(candidates, given, "X-Shopify-Hmac-SHA256"),
        )

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002 - the contract's
        """The headers of a Shopify delivery."""
        return {
            "X-Shopify-Webhook-Id": event.event_id,
            "X-Shopify-Topic": event.event_type or "orders/create",
            "X-Shopify-Shop-Domain": "example.myshopify.com",
            "X-Shopify-Hmac-SHA256": signing.hmac_base64(event.secret, event.body),
        }
