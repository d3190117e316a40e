"""User and password in the Authorization header; the secret is "user:password".

https://www.rfc-editor.org/rfc/rfc7617
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    register,
    sent_with,
    which_secret,
)
from webhooks.schemes.carried import CarriedSecret


@register
class Basic(CarriedSecret):
    """Nobody is challenged: the answer to a stranger names no scheme."""

    name = "basic"

    def place(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],  # noqa: ARG002 - the contract's
        secrets: Sequence[bytes],
    ) -> int:
        """Raises SignatureRejected."""
        word, _, text = raw.header("authorization").partition(" ")
        given = _decoded(text) if word.lower() == "basic" else b""
        return which_secret(secrets, given, "Authorization: Basic", "password")

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The Authorization header, and what the config names."""
        text = base64.b64encode(event.secret).decode("ascii")
        return {"Authorization": f"Basic {text}", **sent_with(event, config)}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(" "), validate=True)
    except (binascii.Error, ValueError):
        return b""
