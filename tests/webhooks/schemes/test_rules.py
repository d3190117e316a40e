"""What holds for every scheme: rotation, strangers, and whatever headers may hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhooks.schemes import Outgoing, RawRequest, SignatureRejected, get
from workflows.triggers.schemes import SCHEMES, options_of, proof_headers

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://automate.example.com/v1/webhooks/k"
SECRET, OTHER, THIRD = b"user:whsec_c2VjcmV0", b"user:b3RoZXI=", b"user:dGhpcmQ="
PROVING = sorted(name for name, scheme in SCHEMES.items() if scheme.secret_required)
SIGNING = sorted(set(PROVING) - {"basic", "bearer", "token", "gitlab"})
TIMED = ["gitlab", "hmac", "slack", "standard_webhooks", "stripe"]


def options(name: str) -> dict[str, Any]:
    timed = {"timestamp_header": "X-Time"} if name == "hmac" else {}
    return options_of({"scheme": name, name: timed})


def signed(name: str, secret: bytes = SECRET, body: bytes = b'{"a": 1}') -> RawRequest:
    scheme = get(name)
    event = Outgoing(body, secret, NOW, "e1", "push", URL)
    headers = {
        key.lower(): text for key, text in scheme.sign(event, options(name)).items()
    }
    headers["content-type"] = event.content_type
    return RawRequest(headers, body, "POST", scheme.address(event, options(name)))


@pytest.mark.parametrize("name", PROVING)
def test_either_secret_of_a_rotation_will_do_and_it_is_told_which(name: str) -> None:
    for place, secrets in ((0, [SECRET, OTHER]), (1, [OTHER, SECRET])):
        assert (
            get(name).verify(signed(name), options(name), secrets, NOW).secret == place
        )


@pytest.mark.parametrize("name", PROVING)
def test_no_other_secret_will_do(name: str) -> None:
    for secrets in ([OTHER, THIRD], [OTHER], []):
        with pytest.raises(SignatureRejected) as caught:
            get(name).verify(signed(name), options(name), secrets, NOW)
        assert not caught.value.expired


@pytest.mark.parametrize("name", SIGNING)
def test_another_body_is_rejected(name: str) -> None:
    request = signed(name)
    forged = RawRequest(request.headers, b'{"a": 2}', "POST", request.url)
    with pytest.raises(SignatureRejected):
        get(name).verify(forged, options(name), [SECRET], NOW)


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_genuine_event_outside_its_window_is_expired(name: str, seconds: int) -> None:
    secret = SECRET.removeprefix(b"user:")
    later = NOW + timedelta(seconds=seconds)
    with pytest.raises(SignatureRejected) as caught:
        get(name).verify(signed(name, secret), options(name), [secret], later)
    assert caught.value.expired


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_what_proves_the_sender_is_never_kept(name: str) -> None:
    config = {"scheme": name}
    sent = get(name).sign(Outgoing(b"", SECRET, NOW, url=URL), options_of(config))
    kept = {header.lower() for header in proof_headers(config)}
    for header, text in sent.items():
        if SECRET.decode() in text or "ignature" in header or "hmac" in header.lower():
            assert header.lower() in kept


GENUINE = {name: signed(name).headers for name in PROVING}
TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=40)
MARKS = ["t=", "v1=", "v0=", "v1,", "v1a,", ",", " ", "=", "1767225600", "Basic "]
PIECES = st.lists(st.sampled_from(MARKS) | TEXT, max_size=6).map("".join)
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("name", PROVING)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), body=st.binary(max_size=60))
def test_whatever_headers_hold_a_stranger_is_rejected(
    name: str, data: st.DataObject, body: bytes
) -> None:
    headers = {
        header: data.draw(PIECES | st.just(text), label=header)
        for header, text in GENUINE[name].items()
    }
    for dress in (headers, {**headers, **FORM}):
        request = RawRequest(dress, body + b"!", "POST", URL)
        with pytest.raises(SignatureRejected):
            get(name).verify(request, options(name), [OTHER], NOW)
