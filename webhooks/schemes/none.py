"""No signature: whoever knows the address may post."""

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
)


@register
class NoSignature(SignatureScheme):
    """Accepts every request; the unguessable key is all that protects it."""

    name = "none"

    def verify(
        self,
        raw: RawRequest,  # noqa: ARG002 - the contract's
        config: Mapping[str, Any],  # noqa: ARG002 - the contract's
        secrets: Sequence[bytes],  # noqa: ARG002 - the contract's
        now: datetime,  # noqa: ARG002 - the contract's
    ) -> Verified:
        """Nothing is known of the sender."""
        return Verified()

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002 - the contract's
        """Only an Idempotency-Key, and only for an event with an id."""
        return {"Idempotency-Key": event.event_id} if event.event_id else {}
