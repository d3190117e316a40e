"""Signatures of webhook bodies: computed here, for sending and for checking."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from typing import Literal

Digest = Literal["sha1", "sha256", "sha384", "sha512"]
WHSEC_PREFIX = "whsec_"


def _key(secret: str | bytes) -> bytes:
    return secret.encode("utf-8") if isinstance(secret, str) else secret


def hmac_hex(secret: str | bytes, body: bytes, digest: Digest = "sha256") -> str:
    """HMAC (RFC 2104) of the body in lower-case hexadecimal."""
    return hmac.digest(_key(secret), body, digest).hex()


def hmac_base64(secret: str | bytes, body: bytes, digest: Digest = "sha256") -> str:
    """HMAC (RFC 2104) of the body in standard base64 with padding."""
    return base64.b64encode(hmac.digest(_key(secret), body, digest)).decode("ascii")


def github_signature(secret: str | bytes, body: bytes) -> str:
    """GitHub's X-Hub-Signature-256 header: "sha256=" and the HMAC-SHA256 in hex."""
    return "sha256=" + hmac_hex(secret, body)


def decode_whsec(secret: str) -> bytes:
    """The key bytes of a Standard Webhooks secret, with or without "whsec_".

    Raises ValueError when the rest is not base64 or is empty.
    """
    text = secret.strip().removeprefix(WHSEC_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError('The secret must be "whsec_" followed by base64.')
    return key


def standard_webhooks_signature(
    secret: str | bytes, msg_id: str, timestamp: int, body: bytes
) -> str:
    """The webhook-signature header of Standard Webhooks 1.0: "v1," and base64.

    A `secret` of type str is decoded as "whsec_..." (ValueError), bytes are the key.
    """
    key = decode_whsec(secret) if isinstance(secret, str) else secret
    content = f"{msg_id}.{timestamp}.".encode() + body
    return "v1," + hmac_base64(key, content)


def matches_any(candidates: Iterable[str], given: str | Iterable[str]) -> bool:
    """Whether a given signature equals one of the candidates, in constant time.

    Every pair is compared, so that the time tells nothing about which one matched.
    An empty text matches nothing.
    """
    texts = [given] if isinstance(given, str) else list(given)
    offered = [text.encode("utf-8", "surrogatepass") for text in texts]
    found = False
    for candidate in candidates:
        expected = candidate.encode("utf-8", "surrogatepass")
        for signature in offered:
            equal = hmac.compare_digest(expected, signature)
            found |= equal and bool(expected)
    return found
