"""Stripe's signature, by the fixture that Stripe's own library is tested with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from automate.lib import signing
from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, Verified, get
from workflows.triggers.schemes import options_of

# https://github.com/stripe/stripe-dotnet: EventUtilityTest, event_test_signature.json
SECRET = b"webhook_secret"
BODY = b"""{
  "id": "evt_123",
  "object": "event",
  "account": "acct_123",
  "api_version": "2017-05-25",
  "created": 1533204620,
  "data": {
    "object": {
      "id": "cus_123",
      "object": "customer",
      "created": 123456789,
      "email": "test@stripe.com",
      "livemode": false,
      "metadata": {}
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_123",
    "idempotency_key": "idempotency-key-123"
  },
  "type": "customer.created"
}
"""
V1 = "2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7"
V0 = "63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef"
STAMP = 1533204620
THEN = datetime.fromtimestamp(STAMP, tz=UTC)
CONFIG = options_of({"scheme": "stripe"})

stripe = get("stripe")


def verify(
    header: str, body: bytes = BODY, now: datetime = THEN, secret: bytes = SECRET
) -> Verified:
    return stripe.verify(
        RawRequest({"stripe-signature": header}, body), CONFIG, [secret], now
    )


def test_the_published_event_is_accepted_with_its_id_and_type() -> None:
    verified = verify(f"t={STAMP},v1={V1},v0={V0}")
    assert (verified.event_id, verified.event_type) == ("evt_123", "customer.created")
    assert verified.timestamp == THEN
    assert verified.body_varies


@pytest.mark.parametrize(
    "header",
    [
        f"t={STAMP},v1={'0' * 64},v1={V1}",
        f"t={STAMP}, v1={V1}, v1={'0' * 64}",
        f"v1={V1},t={STAMP}",
        f"t={STAMP},v2=whatever,v1={V1}",
    ],
)
def test_one_valid_signature_of_several_will_do_in_any_order(header: str) -> None:
    assert verify(header)


@pytest.mark.parametrize(
    "header",
    [
        "", "t", "v1", ",", "=", "t=,v1=", f"t={STAMP}", f"v1={V1}", f"t=,v1={V1}",
        f"t={STAMP},v0={V1}", f"t={STAMP},v1={V0}", f"t={STAMP + 1},v1={V1}",
        f"t={STAMP},t={STAMP},v1={V1}", f"t={STAMP} v1={V1}", V1,
        ",".join([f"t={STAMP}", *["v1=x"] * 20, f"v1={V1}"]),
    ],
)  # fmt: skip
def test_any_other_header_is_rejected(header: str) -> None:
    with pytest.raises(SignatureRejected) as caught:
        verify(header)
    assert not caught.value.expired


def test_another_body_or_secret_is_rejected() -> None:
    with pytest.raises(SignatureRejected):
        verify(f"t={STAMP},v1={V1}", BODY + b" ")
    with pytest.raises(SignatureRejected):
        verify(f"t={STAMP},v1={V1}", secret=b"webhook_secret2")


@pytest.mark.parametrize(("seconds", "expired"), [(300, False), (301, True)])
def test_the_window_is_five_minutes(seconds: int, expired: bool) -> None:
    now = THEN + timedelta(seconds=seconds)
    if not expired:
        assert verify(f"t={STAMP},v1={V1}", now=now)
        return
    with pytest.raises(SignatureRejected) as caught:
        verify(f"t={STAMP},v1={V1}", now=now)
    assert caught.value.expired


@pytest.mark.parametrize("body", [b"[]", b"not json", b'{"id": 5}', b"", b"[" * 9999])
def test_a_signed_body_that_is_no_event_has_no_id(body: bytes) -> None:
    signature = signing.hmac_hex(SECRET, f"{STAMP}.".encode() + body)
    verified = verify(f"t={STAMP},v1={signature}", body)
    assert (verified.event_id, verified.event_type) == ("", "")


def test_what_is_signed_here_has_stripes_form() -> None:
    headers = stripe.sign(Outgoing(BODY, SECRET, THEN), CONFIG)
    assert headers == {"Stripe-Signature": f"t={STAMP},v1={V1}"}
