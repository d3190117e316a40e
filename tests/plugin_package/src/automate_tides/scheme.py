"""Signature scheme `tide_gauge`: HMAC-SHA512 of the body, in hex, in X-Gauge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from automate.lib import signing
from webhooks.schemes import (
    Outgoing,
    RawRequest,
    SignatureRejected,
    SignatureScheme,
    Verified,
    register,
)
from workflows.triggers.schemes import Scheme


@register
class TideGauge(SignatureScheme):
    """A reading's number is its delivery id."""

    name = "tide_gauge"
    data: ClassVar[Scheme] = Scheme(
        "tide_gauge",
        "Tide gauge",
        secret_required=True,
        signature_header="X-Gauge",
        id_header="X-Reading",
    )

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,
    ) -> Verified:
        candidates = [signing.hmac_hex(key, raw.body, "sha512") for key in secrets]
        place = signing.first_match(candidates, raw.header("x-gauge"))
        if place is None:
            raise SignatureRejected("X-Gauge does not match the body.")
        return Verified(raw.header("x-reading"), secret=place)

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        signature = signing.hmac_hex(event.secret, event.body, "sha512")
        return {"X-Gauge": signature, "X-Reading": event.event_id}
