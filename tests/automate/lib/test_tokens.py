"""Tokens that only this installation makes, and reads."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pytest_django import Settings

from automate.lib import tokens
from automate.lib.tokens import SKEW, BadToken, Kind, issue, looks_like_one, read

OLD, NEW = "old-" + "0123456789abcdef" * 3, "new-" + "fedcba9876543210" * 3


def part(data: Any) -> str:
    text = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def claims(text: str) -> dict[str, Any]:
    body = text.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=="))
    return found


def test_what_was_issued_is_read() -> None:
    text = issue(Kind.ACCESS, {"sub": "a", "sid": "b"}, 60)

    found = read(Kind.ACCESS, text)
    assert (found["sub"], found["sid"], found["iss"]) == ("a", "b", "automate")
    assert found["exp"] - found["iat"] == 60
    assert abs(found["iat"] - time.time()) < 60
    assert looks_like_one(text)


@pytest.mark.parametrize("kind", Kind)
def test_a_token_of_another_kind_is_refused(kind: Kind) -> None:
    """Else a refresh token would open everything for a month."""
    other = next(one for one in Kind if one != kind)
    with pytest.raises(BadToken, match="kind"):
        read(kind, issue(other, {}, 60))


def test_time_ends_it_but_for_the_skew_of_clocks() -> None:
    assert read(Kind.ACCESS, issue(Kind.ACCESS, {}, 1 - SKEW))
    with pytest.raises(BadToken, match="expired"):
        read(Kind.ACCESS, issue(Kind.ACCESS, {}, -SKEW - 1))


def test_any_change_of_it_is_noticed() -> None:
    text = issue(Kind.ACCESS, {"sub": "a"}, 60)
    head, body, signature = text.split(".")
    other = part({**claims(text), "sub": "b"})
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    for changed in (
        f"{head}.{other}.{signature}",
        f"{head}.{body}.{flipped}",
        f"{head}.{body}.{signature[:-4]}",
        f"{head}.{body}.AA",
    ):
        with pytest.raises(BadToken):
            read(Kind.ACCESS, changed)


def test_the_header_is_not_the_senders_to_choose() -> None:
    """RFC 8725, sections 2.1 and 3.1: none, another algorithm, a key of their own."""
    text = issue(Kind.ACCESS, {"sub": "a"}, 60)
    head, body, signature = text.split(".")
    known = json.loads(base64.urlsafe_b64decode(head + "=="))
    assert set(known) == {"typ", "alg", "kid"}
    theirs = OctKey.import_key(b"x" * 32)
    for alg in ("HS256", "HS512"):
        made = jwt.encode({**known, "alg": alg}, {"sub": "a"}, theirs, [alg])
        with pytest.raises(BadToken):
            read(Kind.ACCESS, made)
    pair = RSAKey.generate_key(2048, private=True)
    header = {**known, "alg": "RS256", "jwk": pair.as_dict(private=False)}
    with pytest.raises(BadToken):
        read(Kind.ACCESS, jwt.encode(header, claims(text), pair, ["RS256"]))
    others: list[Any] = [{**known, "alg": "none"}, {**known, "kid": "../../x"}, [], 7]
    for other in others:
        with pytest.raises(BadToken):
            read(Kind.ACCESS, f"{part(other)}.{body}.{signature}")


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a.b", "a.b.c", "a.b.c.d", "ey.ey.ey\n", "é.é.é", "a.b.=",
        "x" * 3000 + ".b.c", part("[" * 900) + ".b.c",
    ],
)  # fmt: skip
def test_what_is_no_token_is_refused_and_never_an_error(text: str) -> None:
    for kind in Kind:
        with pytest.raises(BadToken):
            read(kind, text)


def test_after_a_rotation_old_tokens_are_good_while_their_key_is_there(
    settings: Settings,
) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    before = issue(Kind.REFRESH, {"sub": "a"}, 60)

    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert read(Kind.REFRESH, before)["sub"] == "a"
    after = issue(Kind.REFRESH, {"sub": "b"}, 60)

    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert read(Kind.REFRESH, after)["sub"] == "b"
    with pytest.raises(BadToken):
        read(Kind.REFRESH, before)


def test_another_installation_s_tokens_are_refused(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    theirs = issue(Kind.ACCESS, {"sub": "a"}, 60)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    with pytest.raises(BadToken):
        read(Kind.ACCESS, theirs)


def test_the_key_is_not_the_one_that_encrypts(settings: Settings) -> None:
    from automate.lib import capability, key_ring

    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    derived = {tokens._derive(OLD), capability._derive(OLD), key_ring._derive(OLD)}
    assert len(derived) == 3
