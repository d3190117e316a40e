"""The registry, and what all schemes have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from webhooks.schemes import (
    Outgoing,
    RawRequest,
    SignatureScheme,
    Verified,
    get,
    names,
    register,
)
from workflows.triggers.schemes import SCHEMES, options_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_every_scheme_that_a_trigger_may_name_can_be_verified() -> None:
    assert names() == sorted(SCHEMES)


def test_an_unknown_scheme_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        get("carrier-pigeon")


def test_a_taken_name_is_refused() -> None:
    class Second(SignatureScheme):
        name = "github"

        def verify(
            self,
            raw: RawRequest,
            config: Mapping[str, Any],
            secrets: Sequence[bytes],
            now: datetime,
        ) -> Verified:
            return Verified()

        def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
            return {}

    with pytest.raises(ValueError, match="already"):
        register(Second)
    assert not isinstance(get("github"), Second)


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_each_scheme_accepts_what_it_signs(name: str) -> None:
    scheme, options = get(name), options_of({"scheme": name})
    event = Outgoing(b"{}", b"u:c2VjcmV0", NOW, "e1", "push", "https://a.example/k")
    headers = {key.lower(): text for key, text in scheme.sign(event, options).items()}
    raw = RawRequest(headers, event.body, "POST", scheme.address(event, options))
    assert scheme.verify(raw, options, [event.secret], NOW)


def test_none_signs_nothing_and_trusts_everybody() -> None:
    scheme = get("none")
    assert scheme.verify(RawRequest({}, b""), {}, [], NOW) == Verified()
    assert scheme.sign(Outgoing(b"", b"", NOW), {}) == {}


def test_nothing_secret_is_printed() -> None:
    raw = RawRequest({"authorization": "canary"}, b"canary")
    event = Outgoing(b"canary", b"canary", NOW)
    assert "canary" not in repr((raw, event))
