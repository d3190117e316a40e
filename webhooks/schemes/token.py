"""A token in a header of your choice."""

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
class Token(SignatureScheme):
    """The secret itself travels, behind a prefix if the config has one."""

    name = "token"

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
        prefix = config["prefix"].encode()
        candidates = [prefix + secret for secret in secrets]
        given = wire(raw.header(config["header"]))
        place = which_secret(candidates, given, config["header"], "token")
        return Verified(
            raw.header(config["id_header"]),
            raw.header(config["event_header"]),
            secret=place,
        )

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The header with the token, and what the config names."""
        token = (config["prefix"].encode() + event.secret).decode("latin-1")
        return {config["header"]: token, **sent_with(event, config)}
