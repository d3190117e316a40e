"""Twilio's signature, by the values that Twilio's own libraries are tested with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, get
from webhooks.schemes.twilio import addresses

# https://github.com/twilio/twilio-python, tests/unit/test_request_validator.py; the
# form and its signature stand in Twilio's documentation of webhooks' security too.
TOKEN = b"12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
HTTP = URL.replace("https", "http")
FORM = (
    b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    b"&Caller=%2B14158675309"
)
PUBLISHED = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
JSON = b'{"property": "value", "boolean": true}'
JSON_HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
JSON_URL = f"{URL}&bodySHA256={JSON_HASH}"
JSON_SIGNATURE = "a9nBmqA0ju/hNViExpshrM61xv4="
FORM_TYPE = "application/x-www-form-urlencoded"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

twilio = get("twilio")


def accepts(
    url: str,
    signature: str,
    body: bytes = FORM,
    content_type: str = FORM_TYPE,
    token: bytes = TOKEN,
) -> bool:
    headers = {"x-twilio-signature": signature, "content-type": content_type}
    try:
        twilio.verify(RawRequest(headers, body, "POST", url), {}, [token], NOW)
    except SignatureRejected:
        return False
    return True


def test_the_published_form_is_accepted_in_any_order_of_its_fields() -> None:
    assert accepts(URL, PUBLISHED)
    shuffled = b"&".join(reversed(FORM.split(b"&")))
    assert accepts(URL, PUBLISHED, shuffled, f"{FORM_TYPE}; charset=UTF-8")


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (URL.replace(".com", ".com:1234"), PUBLISHED),
        (HTTP.replace(".com", ".com:1234"), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),  # signed with :443
        (HTTP, "0ZXoZLH/DfblKGATFgpif+LLRf4="),  # signed with :80
    ],
)
def test_with_or_without_a_port_the_address_is_the_same(
    url: str, signature: str
) -> None:
    assert accepts(url, signature)


def test_a_field_that_is_there_twice_is_signed_as_twilio_does() -> None:
    form = b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234"
    assert accepts(URL, "IK+Dwps556ElfBT0I3Rgjkr1wJU=", form)


def test_the_published_json_is_accepted_by_its_hash_in_the_query() -> None:
    assert accepts(JSON_URL, JSON_SIGNATURE, JSON, "application/json")


@pytest.mark.parametrize(
    ("url", "signature", "body", "content_type"),
    [
        (URL, "", FORM, FORM_TYPE),
        (URL, PUBLISHED, FORM + b"&More=1", FORM_TYPE),
        (URL, PUBLISHED, FORM, "text/plain"),
        (URL + "&x=1", PUBLISHED, FORM, FORM_TYPE),
        (URL.replace("my", "your"), PUBLISHED, FORM, FORM_TYPE),
        (HTTP, PUBLISHED, FORM, FORM_TYPE),
        (JSON_URL, JSON_SIGNATURE, JSON + b" ", "application/json"),
        (JSON_URL, JSON_SIGNATURE, b"x", "text/plain"),
        (URL, JSON_SIGNATURE, JSON, "application/json"),
        (JSON_URL.replace("0a1f", "1a1f"), JSON_SIGNATURE, JSON, "application/json"),
        (URL, PUBLISHED, b"a=1&" * 5000, FORM_TYPE),
    ],
)
def test_anything_else_is_rejected(
    url: str, signature: str, body: bytes, content_type: str
) -> None:
    assert not accepts(url, signature, body, content_type)


def test_a_body_that_no_hash_covers_is_rejected_although_the_address_is_signed() -> (
    None
):
    """A signed GET, replayed with a body of somebody's own."""
    headers = twilio.sign(Outgoing(b"", TOKEN, NOW, url=URL), {})
    signature = headers["X-Twilio-Signature"]
    assert accepts(URL, signature, b"", "")
    assert not accepts(URL, signature, b'{"paid": true}', "application/json")
    assert not accepts(URL, signature, b"paid=true", FORM_TYPE)
    assert not accepts(URL, signature, b"\xff&&", "text/plain")


def test_what_is_signed_here_is_what_twilio_sends() -> None:
    form = Outgoing(FORM, TOKEN, NOW, "IT1", url=URL, content_type=FORM_TYPE)
    assert twilio.sign(form, {}) == {
        "X-Twilio-Signature": PUBLISHED,
        "I-Twilio-Idempotency-Token": "IT1",
    }
    assert twilio.address(form, {}) == URL
    body = Outgoing(JSON, TOKEN, NOW, url=URL)
    assert twilio.address(body, {}) == JSON_URL
    assert twilio.sign(body, {})["X-Twilio-Signature"] == JSON_SIGNATURE


@pytest.mark.parametrize(
    ("url", "both"),
    [
        ("https://a.example/x", ["https://a.example/x", "https://a.example:443/x"]),
        ("http://a.example:80/x", ["http://a.example/x", "http://a.example:80/x"]),
        ("http://[::1]/x?y", ["http://[::1]/x?y", "http://[::1]:80/x?y"]),
        ("http://[::1]:8000/x", ["http://[::1]/x", "http://[::1]:8000/x"]),
    ],
)
def test_an_address_has_two_spellings(url: str, both: list[str]) -> None:
    assert addresses(url) == both
