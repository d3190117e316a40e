"""GitHub: X-Hub-Signature-256 over the body.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from automate.lib import signing
from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    SignatureScheme,
    Verified,
    register,
    which_secret,
)


@register
class GitHub(SignatureScheme):
    """HMAC-SHA256 of the body in hex behind "sha256="; nothing else is signed."""

    name = "github"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],  # noqa: ARG002 - the contract's
        secrets: Sequence[bytes],
        now: datetime,  # noqa: ARG002 - the contract's
    ) -> Verified:
        """The delivery's id and the event's name. Raises SignatureRejected."""
        given = raw.header("x-hub-signature-256")
        candidates = [signing.github_signature(secret, raw.body) for secret in secrets]
        return Verified(
            raw.header("x-github-delivery"),
            raw.header("x-github-event"),
            secret=which_secret(candidates, given, "X-Hub-Signature-256"),
        )

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002 - the contract's
        """The headers of a GitHub delivery."""
        return {
            "User-Agent": "GitHub-Hookshot/0000000",
            "X-GitHub-Delivery": event.event_id,
            "X-GitHub-Event": event.event_type or "ping",
            "X-Hub-Signature-256": signing.github_signature(event.secret, event.body),
        }
