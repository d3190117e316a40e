"""A token in a header of your choice."""

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
class Token(CarriedSecret):
    """The secret itself travels, behind a prefix if the config has one."""

    name = "token"

    def place(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
    ) -> int:
        """Raises SignatureRejected."""
        prefix = config["prefix"].encode()
        candidates = [prefix + secret for secret in secrets]
        given = wire(raw.header(config["header"]))
        return which_secret(candidates, given, config["header"], "token")

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The header with the token, and what the config names."""
        token = (config["prefix"].encode() + event.secret).decode("latin-1")
        return {config["header"]: token, **sent_with(event, config)}
