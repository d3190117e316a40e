"""GitLab: a secret token as it is, or a signing token by Standard Webhooks.

https://docs.gitlab.com/user/project/integrations/webhooks/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from automate.lib import signing
from webhooks.schemes import standard_webhooks
from webhooks.schemes.base import (
    Outgoing,
    RawRequest,
    SignatureRejected,
    SignatureScheme,
    Verified,
    register,
    wire,
)


@register
class GitLab(SignatureScheme):
    """Whoever sends the secret in X-Gitlab-Token, or signs with it, has proved it.

    Which of the two depends on the box at GitLab into which the secret was typed: a
    "whsec_..." fits both. A signature wins, because its id and time are signed too.
    """

    name = "gitlab"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,
    ) -> Verified:
        """The delivery's id and the event's name. Raises SignatureRejected."""
        event = raw.header("x-gitlab-event")
        token = signing.first_match(secrets, wire(raw.header("x-gitlab-token")))
        if raw.header("webhook-signature"):
            try:
                return standard_webhooks.verify(raw, config, secrets, now, event)
            except SignatureRejected:
                if token is None:
                    raise
        if token is None:
            raise SignatureRejected(
                "X-Gitlab-Token is not the secret, and there is no webhook-signature."
                if raw.header("x-gitlab-token")
                else "There is no X-Gitlab-Token or webhook-signature header."
            )
        return Verified(raw.header("idempotency-key"), event, secret=token)

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The headers of a GitLab delivery; signed, with a secret of "whsec_..."."""
        headers = {
            "Idempotency-Key": event.event_id,
            "User-Agent": "GitLab/18.0.0",
            "X-Gitlab-Event": event.event_type or "Push Hook",
        }
        if event.secret.startswith(signing.WHSEC_PREFIX.encode()):
            return headers | standard_webhooks.sign(event, config)
        return {**headers, "X-Gitlab-Token": event.secret.decode("latin-1")}
