"""The `OPTIONS` handshake by which senders of CloudEvents ask whether they may send.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
"""

from __future__ import annotations

from webhooks.answers import Answer
from webhooks.arrival import Incoming

# The same for every address, whether or not a trigger has it, without a look: who asks
# learns nothing. It says that this site expects webhooks; what comes without its
# signature is refused as ever. The callback, which could be any URL, is never called.
CONSENT = Answer(
    200,
    b"",
    "",
    {"Allow": "POST", "WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"},
)


def is_asked(incoming: Incoming) -> bool:
    """Whether a request is this question."""
    return (
        incoming.method == "OPTIONS"
        and "HTTP_WEBHOOK_REQUEST_ORIGIN" in incoming.environ
    )
