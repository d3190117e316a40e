"""GitHub's signature, by GitHub's own vector."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, get

SECRET = b"It's a Secret to Everybody"
BODY = b"Hello, World!"
# https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
PUBLISHED = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

github = get("github")


def raw(signature: str | None = PUBLISHED, body: bytes = BODY) -> RawRequest:
    headers = {"x-github-delivery": "72d3162e", "x-github-event": "push"}
    if signature is not None:
        headers["x-hub-signature-256"] = signature
    return RawRequest(headers, body)


def test_the_published_vector_is_accepted_with_its_id_and_event() -> None:
    verified = github.verify(raw(), {}, [SECRET], NOW)
    assert (verified.event_id, verified.event_type) == ("72d3162e", "push")


@pytest.mark.parametrize("secrets", [[b"new", SECRET], [SECRET, b"old"]])
def test_either_secret_of_a_rotation_will_do(secrets: list[bytes]) -> None:
    assert github.verify(raw(), {}, secrets, NOW)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        PUBLISHED.removeprefix("sha256="),
        PUBLISHED[:-1],
        PUBLISHED + "0",
        PUBLISHED.replace("sha256=", "sha1="),
        "sha256=é\ud800",
    ],
)
def test_anything_but_the_signature_is_rejected(signature: str | None) -> None:
    with pytest.raises(SignatureRejected) as caught:
        github.verify(raw(signature), {}, [SECRET], NOW)
    assert not caught.value.expired


def test_one_other_byte_in_the_body_is_rejected() -> None:
    with pytest.raises(SignatureRejected):
        github.verify(raw(body=BODY + b"\n"), {}, [SECRET], NOW)


@pytest.mark.parametrize("secrets", [[], [b"other"]])
def test_other_secrets_are_rejected(secrets: list[bytes]) -> None:
    with pytest.raises(SignatureRejected):
        github.verify(raw(), {}, secrets, NOW)


def test_no_reason_holds_the_secret_or_a_signature() -> None:
    with pytest.raises(SignatureRejected) as caught:
        github.verify(raw("sha256=canary"), {}, [SECRET], NOW)
    assert "canary" not in caught.value.reason
    assert SECRET.decode() not in caught.value.reason
    assert PUBLISHED[7:20] not in caught.value.reason


def test_what_is_signed_here_is_accepted_here() -> None:
    headers = github.sign(Outgoing(BODY, SECRET, NOW, "id-1", "star"), {})
    assert headers["X-Hub-Signature-256"] == PUBLISHED
    received = {name.lower(): text for name, text in headers.items()}
    verified = github.verify(RawRequest(received, BODY), {}, [SECRET], NOW)
    assert (verified.event_id, verified.event_type) == ("id-1", "star")
