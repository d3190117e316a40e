"""Shopify's signature: HMAC-SHA256 in base64 (RFC 4231's bytes in Shopify's dress)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, get

# Shopify publishes no vector; https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
# says base64 of HMAC-SHA256 over the body: RFC 4231, test case 2, is one of those.
SECRET = b"Jefe"
BODY = b"what do ya want for nothing?"
DIGEST = bytes.fromhex(
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
)
SIGNATURE = base64.b64encode(DIGEST).decode()
NOW = datetime(2026, 1, 1, tzinfo=UTC)

shopify = get("shopify")


def raw(signature: str, body: bytes = BODY) -> RawRequest:
    headers = {
        "x-shopify-hmac-sha256": signature,
        "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "x-shopify-topic": "orders/create",
    }
    return RawRequest(headers, body)


def test_a_delivery_is_accepted_with_its_id_and_topic() -> None:
    verified = shopify.verify(raw(SIGNATURE), {}, [SECRET], NOW)
    assert verified.event_id == "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"
    assert verified.event_type == "orders/create"


@pytest.mark.parametrize(
    "signature", ["", DIGEST.hex(), SIGNATURE.swapcase(), SIGNATURE[:-1], "=" * 44]
)
def test_another_dress_is_rejected(signature: str) -> None:
    with pytest.raises(SignatureRejected):
        shopify.verify(raw(signature), {}, [SECRET], NOW)
    with pytest.raises(SignatureRejected):
        shopify.verify(raw(SIGNATURE, BODY + b"\n"), {}, [SECRET], NOW)


def test_it_is_signed_with_shopifys_headers() -> None:
    headers = shopify.sign(Outgoing(BODY, SECRET, NOW, "w1", "app/uninstalled"), {})
    assert headers["X-Shopify-Hmac-SHA256"] == SIGNATURE
    assert headers["X-Shopify-Webhook-Id"] == "w1"
    assert headers["X-Shopify-Topic"] == "app/uninstalled"
