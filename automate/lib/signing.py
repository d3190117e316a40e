"""Signatures of webhook bodies: computed here, for sending and for checking."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from typing import Literal

Digest = Literal["sha1", "sha256", "sha384", "sha512"]
WHSEC_PREFIX = "whsec_"
WHPK_PREFIX = "whpk_"  # Standard Webhooks 1.0: an Ed25519 public key
WHSK_PREFIX = "whsk_"  # and the private one


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
    key = _base64(secret.strip().removeprefix(WHSEC_PREFIX))
    if not key:
        raise ValueError('must be "whsec_" followed by base64')
    return key


def decode_whpk(secret: str) -> bytes:
    """The 32 bytes of a Standard Webhooks public key, "whpk_..."; else ValueError."""
    text = secret.strip()
    key = _base64(text.removeprefix(WHPK_PREFIX))
    if not text.startswith(WHPK_PREFIX) or len(key) != 32 or not on_curve(key):
        raise ValueError('must be "whpk_" followed by base64 of an Ed25519 public key')
    return key


def decode_whsk(secret: str) -> bytes:
    """The seed of a Standard Webhooks private key, "whsk_..."; else ValueError.

    Some write the seed, 32 bytes, others seed and public key, 64.
    """
    text = secret.strip()
    key = _base64(text.removeprefix(WHSK_PREFIX))
    if not text.startswith(WHSK_PREFIX) or len(key) not in (32, 64):
        raise ValueError('must be "whsk_" followed by base64 of an Ed25519 private key')
    return key[:32]


def on_curve(key: bytes) -> bool:
    """Whether 32 bytes are a point of Ed25519 (RFC 8032, section 5.1.3).

    OpenSSL takes any 32 bytes for a key, and then every signature for a wrong one.
    """
    prime = 2**255 - 19
    y = int.from_bytes(key, "little") & ((1 << 255) - 1)
    if y >= prime:
        return False
    d = -121665 * pow(121666, -1, prime)
    square = (y * y - 1) * pow(d * y * y + 1, -1, prime) % prime
    return square == 0 or pow(square, (prime - 1) // 2, prime) == 1


def _base64(text: str) -> bytes:
    """The bytes, with or without padding; none for a text that is not base64."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


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
    return first_match(candidates, given) is not None


def first_match(
    candidates: Iterable[str | bytes], given: str | bytes | Iterable[str]
) -> int | None:
    """Which of the candidates is given, counted from 0, in constant time; else None.

    Every pair is compared, as by `matches_any`.
    """
    texts = [given] if isinstance(given, str | bytes) else list(given)
    offered = [_bytes(text) for text in texts]
    found = None
    for place, candidate in enumerate(candidates):
        expected = _bytes(candidate)
        for signature in offered:
            equal = hmac.compare_digest(expected, signature)
            if equal and expected and found is None:
                found = place
    return found


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
