"""GitLab: its token as it stands, and its signing token, as in Standard Webhooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.webhooks.schemes import test_standard_webhooks as standard
from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, Verified, get
from workflows.triggers.schemes import SCHEMES, options_of

# https://docs.gitlab.com/user/project/integrations/webhooks/; what is signed is, in
# GitLab's words, "{webhook-id}.{timestamp}.{body}" as "v1,<base64>": the vector is the
# one of Standard Webhooks.
TOKEN = b"a token that was typed"
SIGNING = standard.SECRET.encode()
NOW = standard.THEN
CONFIG = options_of({"scheme": "gitlab"})
SIGNED = dict(standard.raw().headers)

gitlab = get("gitlab")


def verify(headers: dict[str, str], *secrets: bytes, now: datetime = NOW) -> Verified:
    received = {"x-gitlab-event": "Push Hook", "idempotency-key": "k1", **headers}
    return gitlab.verify(RawRequest(received, standard.BODY), CONFIG, secrets, now)


def test_the_token_is_accepted_with_the_deliverys_id_and_event() -> None:
    verified = verify({"x-gitlab-token": TOKEN.decode()}, TOKEN)
    assert (verified.event_id, verified.event_type) == ("k1", "Push Hook")


def test_a_token_beyond_ascii_is_compared_by_its_bytes() -> None:
    secret = "schlüssel"
    on_the_wire = secret.encode().decode("latin-1")
    assert verify({"x-gitlab-token": on_the_wire}, secret.encode())


def test_a_signature_is_accepted_with_the_id_that_it_covers() -> None:
    verified = verify(SIGNED, SIGNING)
    assert (verified.event_id, verified.event_type) == (standard.MESSAGE, "Push Hook")
    assert verified.timestamp == NOW


def test_what_was_generated_here_may_be_typed_into_either_box() -> None:
    make = SCHEMES["gitlab"].new_secret
    assert make is not None
    secret = make()
    assert verify({"x-gitlab-token": secret}, secret.encode())
    headers = gitlab.sign(Outgoing(standard.BODY, secret.encode(), NOW, "d1"), CONFIG)
    assert "X-Gitlab-Token" not in headers
    received = {name.lower(): text for name, text in headers.items()}
    assert verify(received, secret.encode()).event_id == "d1"


def test_with_both_boxes_filled_either_secret_will_do() -> None:
    both = {**SIGNED, "x-gitlab-token": TOKEN.decode()}
    assert verify(both, TOKEN).event_id == "k1"
    assert verify(both, SIGNING).event_id == standard.MESSAGE
    assert verify(both, b"another", TOKEN).secret == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-gitlab-token": ""},
        {"x-gitlab-token": TOKEN.decode() + " "},
        {"x-gitlab-token": TOKEN.decode().upper()},
        {"webhook-signature": "v1,"},
        {**SIGNED, "webhook-id": "another"},
        {"authorization": TOKEN.decode()},
    ],
)
def test_anything_else_is_rejected(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRejected):
        verify(headers, TOKEN, SIGNING)


def test_a_stale_signature_is_expired() -> None:
    with pytest.raises(SignatureRejected) as caught:
        verify(SIGNED, SIGNING, now=NOW + timedelta(hours=1))
    assert caught.value.expired


def test_it_is_sent_with_gitlabs_headers() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert gitlab.sign(Outgoing(b"{}", TOKEN, now, "d1", "Issue Hook"), CONFIG) == {
        "Idempotency-Key": "d1",
        "User-Agent": "GitLab/18.0.0",
        "X-Gitlab-Event": "Issue Hook",
        "X-Gitlab-Token": TOKEN.decode(),
    }
