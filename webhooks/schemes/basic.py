"""User and password in the Authorization header; the secret is "user:password".

https://www.rfc-editor.org/rfc/rfc7617
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    SignatureScheme,
    Verified,
    register,
    sent_with,
    which_secret,
)


@register
class Basic(SignatureScheme):
    """Nobody is challenged: the answer to a stranger names no scheme."""

    name = "basic"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,  # noqa: ARG002 - the contract's
    ) -> Verified:
        """The id and name from the headers that the config says, if any.

        Raises SignatureRejected.
        """
        word, _, text = raw.header("authorization").partition(" ")
        given = _decoded(text) if word.lower() == "basic" else b""
        place = which_secret(secrets, given, "Authorization: Basic", "password")
        return Verified(
            raw.header(config["id_header"]),
            raw.header(config["event_header"]),
            secret=place,
        )

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The Authorization header, and what the config names."""
        text = base64.b64encode(event.secret).decode("ascii")
        return {"Authorization": f"Basic {text}", **sent_with(event, config)}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(" "), validate=True)
    except (binascii.Error, ValueError):
        return b""
