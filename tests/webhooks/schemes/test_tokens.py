"""Bearer, a header of one's own, and Basic: the secret itself travels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, get
from workflows.triggers.schemes import options_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# RFC 6750, section 2.1.
BEARER = "mF_9.B5f-4.1JqM"
# RFC 7617, sections 2 and 2.1: one of ASCII, one with a pound sign in UTF-8.
BASIC = {
    "Aladdin:open sesame": "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    "test:123£": "dGVzdDoxMjPCow==",
}


def accepts(scheme: str, secret: str, headers: dict[str, str], **given: Any) -> bool:
    options = options_of({"scheme": scheme, scheme: given})
    try:
        get(scheme).verify(RawRequest(headers, b""), options, [secret.encode()], NOW)
    except SignatureRejected:
        return False
    return True


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
def test_the_rfcs_bearer_token_is_accepted_whatever_the_words_case(word: str) -> None:
    assert accepts("bearer", BEARER, {"authorization": f"{word} {BEARER}"})


@pytest.mark.parametrize(
    "value",
    [
        "", "Bearer", "Bearer ", BEARER, f"Basic {BEARER}", f"Bearer{BEARER}",
        f"Bearer {BEARER}x", f"Bearer {BEARER[:-1]}", f"Bearer {BEARER.lower()}",
        f"Bearer {BEARER}, {BEARER}",
    ],
)  # fmt: skip
def test_no_other_authorization_is_the_token(value: str) -> None:
    assert not accepts("bearer", BEARER, {"authorization": value})


@pytest.mark.parametrize("secret", BASIC)
def test_the_rfcs_user_and_password_are_accepted(secret: str) -> None:
    assert accepts("basic", secret, {"authorization": f"Basic {BASIC[secret]}"})
    assert accepts("basic", secret, {"authorization": f"basic {BASIC[secret]}"})
    signed = get("basic").sign(
        Outgoing(b"", secret.encode(), NOW), options_of({"scheme": "basic"})
    )
    assert signed == {"Authorization": f"Basic {BASIC[secret]}"}


@pytest.mark.parametrize(
    "value",
    [
        "", "Basic", "Basic ", "Basic !!!!", "Basic QWxhZGRpbg==",
        "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Basic Aladdin:open sesame",
    ],
)  # fmt: skip
def test_no_other_authorization_is_user_and_password(value: str) -> None:
    assert not accepts("basic", "Aladdin:open sesame", {"authorization": value})


@pytest.mark.parametrize(
    ("given", "headers", "expected"),
    [
        ({}, {"x-webhook-token": "t0ken"}, True),
        ({"header": "X-Key"}, {"x-key": "t0ken"}, True),
        ({"header": "X-Key", "prefix": "Token "}, {"x-key": "Token t0ken"}, True),
        ({"header": "X-Key", "prefix": "Token "}, {"x-key": "t0ken"}, False),
        ({"header": "X-Key"}, {"x-webhook-token": "t0ken"}, False),
        ({}, {"x-webhook-token": "t0ken, t0ken"}, False),
        ({}, {"x-webhook-token": ""}, False),
        ({"prefix": "Token "}, {"x-webhook-token": "Token "}, False),
        ({}, {}, False),
    ],
)
def test_a_token_stands_in_the_header_that_was_chosen(
    given: dict[str, str],
    headers: dict[str, str],
    expected: bool,
) -> None:
    assert accepts("token", "t0ken", headers, **given) is expected


@pytest.mark.parametrize("scheme", ["bearer", "token", "basic"])
def test_id_and_event_come_from_the_configured_headers(scheme: str) -> None:
    options = options_of(
        {"scheme": scheme, scheme: {"id_header": "X-Id", "event_header": "X-Event"}}
    )
    headers = get(scheme).sign(
        Outgoing(b"", b"u:\xc3\xbc", NOW, "e1", "order"), options
    )
    received = RawRequest({name.lower(): text for name, text in headers.items()}, b"")
    verified = get(scheme).verify(received, options, [b"u:\xc3\xbc"], NOW)
    assert (verified.event_id, verified.event_type) == ("e1", "order")


@pytest.mark.parametrize("scheme", ["bearer", "token", "basic"])
def test_without_one_the_id_travels_as_idempotency_key(scheme: str) -> None:
    options = options_of({"scheme": scheme})
    headers = get(scheme).sign(Outgoing(b"", b"u:p", NOW, "e1", "order"), options)
    assert headers["Idempotency-Key"] == "e1"
