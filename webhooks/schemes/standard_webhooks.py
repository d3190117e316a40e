"""Standard Webhooks 1.0: v1 (HMAC-SHA256) and v1a (Ed25519), by any of several.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Svix sends the same under names of its own: https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from automate.lib import signing
from webhooks.schemes.base import (
    CannotSign,
    Outgoing,
    RawRequest,
    SignatureRejected,
    SignatureScheme,
    Verified,
    register,
    within_tolerance,
)

# Senders rotate with two or three; more is somebody trying.
MAX_SIGNATURES = 20
_PUBLIC, _PRIVATE = signing.WHPK_PREFIX.encode(), signing.WHSK_PREFIX.encode()


def verify(
    raw: RawRequest,
    config: Mapping[str, Any],
    secrets: Sequence[bytes],
    now: datetime,
    event_type: str = "",
) -> Verified:
    """The message's id and time. Raises SignatureRejected."""
    named = "webhook" if raw.header("webhook-signature") else "svix"
    headers = [f"{named}-{part}" for part in ("id", "timestamp", "signature")]
    event_id, stamp, signatures = (raw.header(name) for name in headers)
    signed = f"{event_id}.{stamp}.".encode("utf-8", "surrogatepass") + raw.body
    place = _place(secrets, signed, signatures.split()[:MAX_SIGNATURES])
    missing = [name for name in headers if not raw.header(name)]
    if missing:
        raise SignatureRejected(
            f"There is no {missing[0].replace('svix', 'webhook')} header."
        )
    if place is None:
        raise SignatureRejected(f"{headers[2]} does not match the message.")
    timestamp = within_tolerance(stamp, now, config["tolerance"])
    return Verified(event_id, event_type, timestamp, place)


def sign(event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG001 - as the contract's
    """The three headers of a message. Raises CannotSign for a public key."""
    stamp = int(event.now.timestamp())
    if event.secret.startswith(_PUBLIC):
        raise CannotSign(
            "Nobody can sign with a public key: give the private one (whsk_...)."
        )
    if event.secret.startswith(_PRIVATE):
        signature = _signed_by(event, stamp)
    else:
        signature = signing.standard_webhooks_signature(
            _key(event.secret), event.event_id, stamp, event.body
        )
    return {
        "webhook-id": event.event_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": signature,
    }


@register
class StandardWebhooks(SignatureScheme):
    """A signature of "<id>.<timestamp>.<body>"; one of several suffices.

    The secret says which kind: "whsec_..." is the key of an HMAC, "whpk_..." a public
    key, with which nothing but Ed25519 signatures are accepted.
    """

    name = "standard_webhooks"

    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,
    ) -> Verified:
        """The message's id and time. Raises SignatureRejected."""
        return verify(raw, config, secrets, now)

    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The three headers of a message. Raises CannotSign for a public key."""
        return sign(event, config)


def _place(secrets: Sequence[bytes], signed: bytes, given: Sequence[str]) -> int | None:
    """Which secret made one of the signatures."""
    shared = [secret for secret in secrets if not secret.startswith(_PUBLIC)]
    candidates = ["v1," + signing.hmac_base64(_key(key), signed) for key in shared]
    place = signing.first_match(candidates, given)
    found = None if place is None else secrets.index(shared[place])
    for number, secret in enumerate(secrets):
        if secret.startswith(_PUBLIC) and _is_signed_by(secret, signed, given):
            found = number if found is None else found
    return found


def _is_signed_by(secret: bytes, signed: bytes, given: Sequence[str]) -> bool:
    """Whether one of the v1a signatures is of this public key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(signing.decode_whpk(secret.decode()))
    except ValueError:
        return False
    for text in given:
        version, _, encoded = text.partition(",")
        if version != "v1a":
            continue
        try:
            key.verify(base64.b64decode(encoded, validate=True), signed)
        except (InvalidSignature, binascii.Error, ValueError):
            continue
        return True
    return False


def _signed_by(event: Outgoing, stamp: int) -> str:
    try:
        seed = signing.decode_whsk(event.secret.decode())
    except ValueError as error:
        raise CannotSign(f"The secret {error}.") from None
    signed = f"{event.event_id}.{stamp}.".encode() + event.body
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(signed)
    return "v1a," + base64.b64encode(signature).decode("ascii")


def _key(secret: bytes) -> bytes:
    """The key of a "whsec_..." text; a text that is not base64 is the key itself."""
    try:
        return signing.decode_whsec(secret.decode("utf-8"))
    except ValueError:
        return secret
