"""A token behind "Bearer" in the Authorization header.

https://www.rfc-editor.org/rfc/rfc6750#section-2.1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    register,
    sent_with,
    which_secret,
    wire,
)
from webhooks.schemes.carried import CarriedSecret


@register
class Bearer(CarriedSecret):
    """The secret itself travels; the word before it may have any case (RFC 9110)."""

    name = "bearer"

    def place(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],  # noqa: ARG002 - the contract's
        secrets: Sequence[bytes],
    ) -> int:
        """Raises SignatureRejected."""
        word, _, token = raw.header("authorization").partition(" ")
        given = wire(token.strip(" ")) if word.lower() == "bearer" else b""
        return which_secret(secrets, given, "Authorization: Bearer", "token")

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The Authorization header, and what the config names."""
        token = event.secret.decode("latin-1")
        return {"Authorization": f"Bearer {token}", **sent_with(event, config)}
