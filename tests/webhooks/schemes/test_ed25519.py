"""Standard Webhooks with a key pair (v1a), by Svix's published vector."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate.lib import signing
from webhooks.schemes import (
    CannotSign,
    Outgoing,
    RawRequest,
    SignatureRejected,
    Verified,
    get,
)

# https://github.com/svix/svix-webhooks, server: test_asymmetric_key_signing. The
# signature stands in the specification of Standard Webhooks too.
PRIVATE = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6"
    "p9lMicMFs6Kvg=="
)
SEED = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
STAMP = 1614265330
BODY = b'{"test": 2432232314}'
PUBLISHED = (
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8"
    "EM+m7TBAg=="
)
HMAC = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SHARED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
THEN = datetime.fromtimestamp(STAMP, tz=UTC)
CONFIG = {"tolerance": 300}

scheme = get("standard_webhooks")


def verify(
    signature: str,
    *secrets: str,
    body: bytes = BODY,
    now: datetime = THEN,
    named: str = "webhook",
) -> Verified:
    headers = {
        f"{named}-id": MESSAGE,
        f"{named}-timestamp": str(STAMP),
        f"{named}-signature": signature,
    }
    keys = [secret.encode() for secret in secrets or (PUBLIC,)]
    return scheme.verify(RawRequest(headers, body), CONFIG, keys, now)


def test_the_published_signature_is_accepted_by_the_public_key() -> None:
    verified = verify(PUBLISHED)
    assert (verified.event_id, verified.timestamp) == (MESSAGE, THEN)


@pytest.mark.parametrize("secret", [PRIVATE, SEED])
def test_the_published_signature_is_made_by_the_private_key(secret: str) -> None:
    headers = scheme.sign(Outgoing(BODY, secret.encode(), THEN, MESSAGE), CONFIG)
    assert headers["webhook-signature"] == PUBLISHED


@pytest.mark.parametrize(
    "signature",
    [f"{HMAC} {PUBLISHED}", f"v1a,AAAA {PUBLISHED}", f"v1a,!! v9,x {PUBLISHED} {HMAC}"],
)
def test_one_valid_signature_of_several_will_do(signature: str) -> None:
    assert verify(signature)


def test_during_a_change_from_one_kind_to_the_other_both_are_accepted() -> None:
    assert verify(HMAC, PUBLIC, SHARED).secret == 1
    assert verify(PUBLISHED, PUBLIC, SHARED).secret == 0
    assert verify(PUBLISHED, SHARED, PUBLIC).secret == 1
    assert verify(f"{HMAC} {PUBLISHED}", SHARED, PUBLIC).secret == 0


@pytest.mark.parametrize(
    ("signature", "secret"),
    [
        ("", PUBLIC),
        ("v1a,", PUBLIC),
        ("v1a", PUBLIC),
        (HMAC, PUBLIC),
        (PUBLISHED, SHARED),
        (PUBLISHED.replace("v1a,", "v1,"), PUBLIC),
        (PUBLISHED.replace("hnO3", "hnO4"), PUBLIC),
        (PUBLISHED[:-4], PUBLIC),
        (PUBLISHED + "AAAA", PUBLIC),
        (PUBLISHED, "whpk_" + "A" * 43 + "="),
        (PUBLISHED, "whpk_no key"),
    ],
)
def test_anything_else_is_rejected(signature: str, secret: str) -> None:
    with pytest.raises(SignatureRejected):
        verify(signature, secret)


def test_the_public_key_is_no_shared_secret() -> None:
    """Who knows the public key, and that is everybody, must not be able to sign."""
    raw_key = signing.decode_whpk(PUBLIC)
    signed = f"{MESSAGE}.{STAMP}.".encode() + BODY
    for key in (raw_key, PUBLIC.encode(), PUBLIC[5:].encode()):
        with pytest.raises(SignatureRejected):
            verify("v1," + signing.hmac_base64(key, signed))


def test_a_changed_body_is_rejected_and_an_old_message_expired() -> None:
    with pytest.raises(SignatureRejected):
        verify(PUBLISHED, body=BODY + b" ")
    with pytest.raises(SignatureRejected) as caught:
        verify(PUBLISHED, now=THEN + timedelta(seconds=301))
    assert caught.value.expired


def test_svix_headers_are_read_where_there_are_no_others() -> None:
    assert verify(HMAC, SHARED, named="svix").event_id == MESSAGE
    assert verify(PUBLISHED, named="svix").event_id == MESSAGE


def test_nobody_signs_with_the_public_key_or_with_nonsense() -> None:
    for secret, words in ((PUBLIC, "private one"), ("whsk_AAAA", "whsk_")):
        with pytest.raises(CannotSign, match=words):
            scheme.sign(Outgoing(BODY, secret.encode(), THEN, "m"), CONFIG)


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_a_point_exactly_when_its_own_arithmetic_says_so(key: bytes) -> None:
    """RFC 8032, section 5.1.3, by the square root instead of Euler's criterion."""
    prime, sign = 2**255 - 19, key[31] >> 7
    y = int.from_bytes(key, "little") - (sign << 255)
    d = -121665 * pow(121666, prime - 2, prime) % prime
    u, v = (y * y - 1) % prime, (d * y * y + 1) % prime
    root = u * pow(v, 3, prime) * pow(u * pow(v, 7, prime), (prime - 5) // 8, prime)
    good = v * root * root % prime in (u, -u % prime)
    assert signing.on_curve(key) is (y < prime and good)
