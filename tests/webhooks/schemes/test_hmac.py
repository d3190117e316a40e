"""The configurable HMAC: what is configured is what counts."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, get
from workflows.triggers.schemes import options_of

hmac = get("hmac")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
# RFC 4231, test case 2.
KEY = b"Jefe"
BODY = b"what do ya want for nothing?"
SHA256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
# RFC 2202, test case 2 for SHA-1.
SHA1 = bytes.fromhex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")
SHA1_BASE64 = base64.b64encode(SHA1).decode()


def config(**options: Any) -> dict[str, Any]:
    return options_of({"scheme": "hmac", "hmac": options})


def accepts(request: RawRequest, options: dict[str, Any], now: datetime = NOW) -> bool:
    try:
        hmac.verify(request, options, [KEY], now)
    except SignatureRejected:
        return False
    return True


@pytest.mark.parametrize(
    ("options", "header", "signature"),
    [
        ({}, "x-signature", SHA256),
        ({}, "x-signature", SHA256.upper()),
        ({"header": "X-Sig", "prefix": "sha256="}, "x-sig", f"sha256={SHA256}"),
        ({"prefix": "Sha256="}, "x-signature", f"Sha256={SHA256.upper()}"),
        ({"hash": "sha1", "encoding": "base64"}, "x-signature", SHA1_BASE64),
    ],
)
def test_the_vectors_of_the_rfcs_in_every_dress(
    options: dict[str, Any], header: str, signature: str
) -> None:
    assert accepts(RawRequest({header: signature}, BODY), config(**options))


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({}, {}),
        ({}, {"x-signature": ""}),
        ({}, {"x-other": SHA256}),
        ({"prefix": "sha256="}, {"x-signature": SHA256}),
        ({"prefix": "sha256="}, {"x-signature": f"SHA256={SHA256}"}),
        ({"hash": "sha512"}, {"x-signature": SHA256}),
        ({"encoding": "base64"}, {"x-signature": SHA256}),
        (
            {"encoding": "base64", "hash": "sha1"},
            {"x-signature": SHA1_BASE64.swapcase()},
        ),
    ],
)
def test_another_dress_is_rejected(
    options: dict[str, Any], headers: dict[str, str]
) -> None:
    assert not accepts(RawRequest(headers, BODY), config(**options))


def signed(options: dict[str, Any], **changes: str) -> RawRequest:
    headers = hmac.sign(Outgoing(BODY, KEY, NOW, "e1", "order"), options)
    received = {name.lower(): text for name, text in headers.items()}
    return RawRequest({**received, **changes}, BODY)


def test_a_timestamp_is_signed_with_the_body_and_has_a_window() -> None:
    options = config(timestamp_header="X-Time", tolerance=60)
    assert accepts(signed(options), options, NOW + timedelta(seconds=60))
    assert not accepts(signed(options), options, NOW + timedelta(seconds=61))
    later = str(int(NOW.timestamp()) + 1)
    assert not accepts(signed(options, **{"x-time": later}), options)


def test_a_stale_but_genuine_event_is_expired() -> None:
    options = config(timestamp_header="X-Time")
    with pytest.raises(SignatureRejected) as caught:
        hmac.verify(signed(options), options, [KEY], NOW + timedelta(hours=1))
    assert caught.value.expired


def test_a_missing_timestamp_is_rejected_although_the_body_is_signed() -> None:
    options = config(timestamp_header="X-Time")
    assert not accepts(RawRequest({"x-signature": SHA256}, BODY), options)


def test_id_and_event_come_from_the_configured_headers() -> None:
    options = config(id_header="X-Id", event_header="X-Event")
    verified = hmac.verify(signed(options), options, [KEY], NOW)
    assert (verified.event_id, verified.event_type) == ("e1", "order")


def test_an_id_without_a_configured_header_travels_as_idempotency_key() -> None:
    assert signed(config()).header("Idempotency-Key") == "e1"
    assert hmac.verify(signed(config()), config(), [KEY], NOW).event_id == ""


@given(
    options=st.fixed_dictionaries(
        {
            "encoding": st.sampled_from(["hex", "base64"]),
            "hash": st.sampled_from(["sha1", "sha256", "sha512"]),
            "prefix": st.sampled_from(["", "sha=", "V0 "]),
            "timestamp_header": st.sampled_from(["", "X-Time"]),
        }
    ),
    other=st.binary(min_size=1),
)
def test_only_the_signed_body_passes_with_any_options(
    options: dict[str, str], other: bytes
) -> None:
    request = signed(config(**options))
    assert accepts(request, config(**options))
    forged = RawRequest(request.headers, BODY + other)
    assert not accepts(forged, config(**options))
