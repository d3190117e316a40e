"""A token behind "Bearer" in the Authorization header.

https://www.rfc-editor.org/rfc/rfc6750#section-2.1
"""

from __future__ import annotations

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
    wire,
)


@register
class Bearer(SignatureScheme):
    """The secret itself travels; the word before it may have any case (RFC 9110)."""

    name = "bearer"

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
        word, _, token = raw.header("authorization").partition(" ")
        given = wire(token.strip(" ")) if word.lower() == "bearer" else b""
        place = which_secret(secrets, given, "Authorization: Bearer", "token")
        return Verified(
            raw.header(config["id_header"]),
            raw.header(config["event_header"]),
            secret=place,
        )

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The Authorization header, and what the config names."""
        token = event.secret.decode("latin-1")
        return {"Authorization": f"Bearer {token}", **sent_with(event, config)}
