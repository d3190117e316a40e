"""Standard Webhooks: the specification's example and its own library, both ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from automate.lib import signing
from automate.lib.ids import new_secret
from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, get

# The example of the specification 1.0 and of its libraries' tests.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
STAMP = 1614265330
BODY = b'{"test": 2432232314}'
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
THEN = datetime.fromtimestamp(STAMP, tz=UTC)
CONFIG = {"tolerance": 300}

scheme = get("standard_webhooks")


def raw(body: bytes = BODY, **changes: str | None) -> RawRequest:
    headers: dict[str, Any] = {
        "webhook-id": MESSAGE,
        "webhook-timestamp": str(STAMP),
        "webhook-signature": PUBLISHED,
    }
    headers.update({f"webhook-{name}": text for name, text in changes.items()})
    return RawRequest({k: v for k, v in headers.items() if v is not None}, body)


def verify(request: RawRequest, now: datetime = THEN, *secrets: str) -> Any:
    keys = [secret.encode() for secret in secrets or (SECRET,)]
    return scheme.verify(request, CONFIG, keys, now)


def test_the_published_example_is_accepted() -> None:
    verified = verify(raw())
    assert verified.event_id == MESSAGE
    assert verified.timestamp == THEN


def test_a_secret_without_its_prefix_is_the_same_secret() -> None:
    assert verify(raw(), THEN, SECRET.removeprefix("whsec_"))


@pytest.mark.parametrize(
    "signature",
    [
        f"v1,{'A' * 43}= {PUBLISHED}",
        f"{PUBLISHED} v1a,anything",
        f"v2,x  {PUBLISHED}",
    ],
)
def test_one_valid_signature_of_several_will_do(signature: str) -> None:
    assert verify(raw(signature=signature))


def test_only_the_first_twenty_signatures_are_looked_at() -> None:
    with pytest.raises(SignatureRejected):
        verify(raw(signature=" ".join(["v1,x"] * 20 + [PUBLISHED])))


@pytest.mark.parametrize("seconds", [-300, -1, 0, 300])
def test_the_window_is_five_minutes_to_either_side(seconds: int) -> None:
    assert verify(raw(), THEN + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 86_400 * 365])
def test_a_valid_signature_outside_the_window_is_expired(seconds: int) -> None:
    with pytest.raises(SignatureRejected) as caught:
        verify(raw(), THEN + timedelta(seconds=seconds))
    assert caught.value.expired


def test_a_forged_old_message_is_forged_and_not_expired() -> None:
    with pytest.raises(SignatureRejected) as caught:
        verify(raw(signature="v1,AAAA"), THEN + timedelta(days=1))
    assert not caught.value.expired


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"timestamp": None},
        {"signature": None},
        {"id": ""},
        {"id": MESSAGE + "x"},
        {"timestamp": str(STAMP + 1)},
        {"signature": PUBLISHED.removeprefix("v1,")},
        {"signature": PUBLISHED.replace("v1,", "v1a,")},
        {"signature": "v1,"},
    ],
)
def test_a_missing_or_changed_header_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(SignatureRejected):
        verify(raw(**changes))


@pytest.mark.parametrize("stamp", ["now", "1e9", "-5", "١٢٣", "9" * 400, "1.5"])
def test_a_signed_timestamp_that_is_no_number_is_rejected(stamp: str) -> None:
    signature = "v1," + signing.hmac_base64(
        signing.decode_whsec(SECRET), f"{MESSAGE}.{stamp}.".encode() + BODY
    )
    with pytest.raises(SignatureRejected, match="not a number"):
        verify(raw(timestamp=stamp, signature=signature))


@given(
    body=st.text().map(str.encode),
    message=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1),
)
def test_the_reference_library_accepts_what_is_signed_here_and_nothing_else(
    body: bytes, message: str
) -> None:
    secret = new_secret()
    now = datetime.now(UTC)
    headers = scheme.sign(Outgoing(body, secret.encode(), now, message), CONFIG)
    assert accepts(Webhook(secret), body, headers)
    assert not accepts(Webhook(secret), body + b"x", headers)
    assert not accepts(Webhook(new_secret()), body, headers)


def accepts(reference: Webhook, body: bytes, headers: dict[str, str]) -> bool:
    """What the reference library says of a request."""
    try:
        reference.verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


@given(body=st.text().map(str.encode), seconds=st.integers(0, 2**31))
def test_what_the_reference_library_signs_is_accepted(
    body: bytes, seconds: int
) -> None:
    secret = new_secret()
    then = datetime.fromtimestamp(seconds, tz=UTC)
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": str(seconds),
        "webhook-signature": Webhook(secret).sign("m1", then, body.decode()),
    }
    assert verify(RawRequest(headers, body), then, new_secret(), secret)
