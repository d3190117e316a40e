"""Slack's signature, by the example of Slack's documentation; its challenge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from automate.lib import jsonio
from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, Verified, get
from workflows.triggers.schemes import options_of

# https://docs.slack.dev/authentication/verifying-requests-from-slack
SECRET = b"8f742231b10e8888abcd99yyyzzz85a5"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA"
    b"&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url="
    b"https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
    b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
    b"803a0bc887a14d10d2c447fce8b6703c"
)
PUBLISHED = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
STAMP = 1531420618
THEN = datetime.fromtimestamp(STAMP, tz=UTC)
CONFIG = options_of({"scheme": "slack"})
FORM = "application/x-www-form-urlencoded"

slack = get("slack")


def raw(body: bytes = BODY, **changes: str | None) -> RawRequest:
    headers: dict[str, str | None] = {
        "x-slack-request-timestamp": str(STAMP),
        "x-slack-signature": PUBLISHED,
        "content-type": FORM,
    }
    headers.update({f"x-slack-{k.replace('_', '-')}": v for k, v in changes.items()})
    return RawRequest({k: v for k, v in headers.items() if v is not None}, body)


def told(body: bytes, content_type: str = "application/json") -> Verified:
    """What is known of a genuine request with this body."""
    headers = slack.sign(Outgoing(body, SECRET, THEN), CONFIG)
    received = {name.lower(): text for name, text in headers.items()}
    request = RawRequest({**received, "content-type": content_type}, body)
    return slack.verify(request, CONFIG, [SECRET], THEN)


def test_the_published_slash_command_is_accepted_by_its_name() -> None:
    verified = slack.verify(raw(), CONFIG, [SECRET], THEN)
    assert (verified.event_type, verified.timestamp) == ("/webhook-collect", THEN)
    assert verified.challenge == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": None},
        {"signature": ""},
        {"signature": PUBLISHED.removeprefix("v0=")},
        {"signature": PUBLISHED.replace("v0=", "v1=")},
        {"signature": PUBLISHED[:-1]},
        {"request_timestamp": None},
        {"request_timestamp": str(STAMP + 1)},
        {"request_timestamp": "x"},
    ],
)
def test_a_missing_or_changed_header_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(SignatureRejected) as caught:
        slack.verify(raw(**changes), CONFIG, [SECRET], THEN)
    assert not caught.value.expired


def test_after_five_minutes_it_is_expired() -> None:
    with pytest.raises(SignatureRejected) as caught:
        slack.verify(raw(), CONFIG, [SECRET], THEN + timedelta(seconds=301))
    assert caught.value.expired


@pytest.mark.parametrize(
    ("payload", "event_id", "name"),
    [
        (
            {
                "type": "event_callback",
                "event_id": "Ev08MFMKH6",
                "event": {"type": "app_mention"},
            },
            "Ev08MFMKH6",
            "app_mention",
        ),
        ({"type": "app_rate_limited"}, "", "app_rate_limited"),
        ({"type": 3, "event": [], "event_id": None}, "", ""),
        ([], "", ""),
    ],
)
def test_an_event_has_its_id_and_the_name_of_what_happened(
    payload: Any, event_id: str, name: str
) -> None:
    verified = told(jsonio.dumps(payload).encode())
    assert (verified.event_id, verified.event_type) == (event_id, name)


def test_a_click_is_named_by_the_json_in_its_form() -> None:
    body = b"payload=" + quote('{"type": "block_actions"}').encode()
    assert told(body, FORM).event_type == "block_actions"
    for odd in (b"payload=%5B", b"payload=7", b"a=1&" * 200):
        assert told(odd, f"{FORM}; charset=utf-8").event_type == ""


def test_a_challenge_is_told_and_no_other_text_is_one() -> None:
    body = {"type": "url_verification", "token": "x", "challenge": "3eZbrw1aBm2rZg"}
    assert told(jsonio.dumps(body).encode()).challenge == "3eZbrw1aBm2rZg"
    for odd in ({**body, "challenge": 5}, {**body, "type": "event_callback"}):
        assert told(jsonio.dumps(odd).encode()).challenge == ""


def test_what_is_signed_here_is_slacks_example() -> None:
    assert slack.sign(Outgoing(BODY, SECRET, THEN), CONFIG) == {
        "X-Slack-Request-Timestamp": str(STAMP),
        "X-Slack-Signature": PUBLISHED,
    }
