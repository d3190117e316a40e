from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from automate.lib import signing
from automate.lib.ids import new_secret


def test_hmac_hex_gives_the_vector_of_rfc_4231() -> None:
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signing.hmac_hex(b"Jefe", b"what do ya want for nothing?") == expected


def test_hmac_hex_gives_the_vector_of_rfc_2202_for_sha1() -> None:
    expected = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    assert (
        signing.hmac_hex(b"Jefe", b"what do ya want for nothing?", "sha1") == expected
    )


def test_hmac_base64_is_the_same_code_in_base64() -> None:
    code = bytes.fromhex(signing.hmac_hex("key", b"body"))
    assert base64.b64decode(signing.hmac_base64("key", b"body")) == code


def test_github_gives_the_vector_of_its_documentation() -> None:
    # "Validating webhook deliveries", GitHub Docs: testing the webhook payload.
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert (
        signing.github_signature("It's a Secret to Everybody", b"Hello, World!")
        == expected
    )


def test_standard_webhooks_gives_the_vector_of_its_library() -> None:
    signature = signing.standard_webhooks_signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(body=st.text(max_size=200), seconds=st.integers(0, 4_000_000_000))
def test_standard_webhooks_agrees_with_the_reference_library(
    body: str, seconds: int
) -> None:
    secret = new_secret()
    theirs = Webhook(secret).sign("msg_1", datetime.fromtimestamp(seconds, UTC), body)
    ours = signing.standard_webhooks_signature(secret, "msg_1", seconds, body.encode())
    assert ours == theirs


def test_a_standard_webhooks_secret_in_bytes_is_the_key_itself() -> None:
    secret = new_secret()
    key = signing.decode_whsec(secret)
    assert signing.standard_webhooks_signature(
        key, "m", 1, b"x"
    ) == signing.standard_webhooks_signature(secret, "m", 1, b"x")


@given(st.binary(min_size=1, max_size=64))
def test_a_whsec_secret_is_decoded_with_or_without_prefix_and_padding(
    key: bytes,
) -> None:
    text = base64.b64encode(key).decode()
    for form in (text, "whsec_" + text, f" whsec_{text.rstrip('=')}\n"):
        assert signing.decode_whsec(form) == key


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", "not base64", "whsec_é"])
def test_a_secret_that_is_no_base64_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_") as caught:
        signing.decode_whsec(secret)
    assert secret in ("", "whsec_") or secret not in str(caught.value)


@pytest.mark.parametrize(
    ("candidates", "offered", "expected"),
    [
        (["a"], "a", True),
        (["a", "b"], "b", True),
        (["a", "b"], ["c", "b"], True),
        (["a"], "b", False),
        (["a"], "", False),
        ([""], "", False),
        (["", "a"], ["", "b"], False),
        ([], "a", False),
        (["a"], [], False),
        (["ab"], "a", False),
        (["é"], "é", True),
        (["a"], "\udcff", False),
    ],
)
def test_a_signature_matches_when_one_pair_is_equal(
    candidates: list[str], offered: str | list[str], *, expected: bool
) -> None:
    assert signing.matches_any(candidates, offered) is expected


def test_every_pair_is_compared_even_after_a_match(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        seen.append((a, b))
        return hmac.compare_digest(a, b)

    monkeypatch.setattr(
        signing, "hmac", type("h", (), {"compare_digest": staticmethod(compare)})
    )
    assert signing.matches_any(["a", "b", "c"], iter(["a", "x"]))
    assert len(seen) == 6


@given(secret=st.binary(min_size=1), body=st.binary(), flip=st.integers(0))
def test_a_changed_body_has_another_signature(
    secret: bytes, body: bytes, flip: int
) -> None:
    changed = bytearray(body or b"\0")
    changed[flip % len(changed)] ^= 1
    assert signing.hmac_hex(secret, body) != signing.hmac_hex(secret, bytes(changed))
    assert (
        signing.hmac_hex(secret, body)
        == hmac.new(secret, body, hashlib.sha256).hexdigest()
    )
