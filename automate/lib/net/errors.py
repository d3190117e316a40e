"""How an outgoing request can fail."""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "blocked",
    "name",
    "connect",
    "tls",
    "timeout",
    "reset",
    "protocol",
    "redirect",
    "unwanted",
]


class NetError(Exception):
    """A request without a full answer.

    `sent` is False only when surely no byte of the request left this host.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        sent: bool,  # noqa: FBT001 - callers write sent=...
    ) -> None:
        super().__init__(kind, message, sent)
        self.kind: Kind = kind
        self.message = message
        self.sent = sent

    def __str__(self) -> str:
        return self.message
