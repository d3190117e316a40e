"""Signatures that only this installation can make: whoever holds one may act.

HMAC-SHA256 (RFC 2104) under keys derived from FIELD_ENCRYPTION_KEYS. The first key
signs, all verify: after a rotation what was handed out before stays valid for as long
as its key stays in the ring.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.signals import setting_changed

from automate.lib.signing import matches_any

# 160 bits: letters and digits alone, which no mail program cuts off or encodes.
KEPT = 20
LENGTH = 32


def signatures(purpose: str, *parts: str) -> list[str]:
    """The signatures of these texts for this purpose, one a key; hand out the first.

    Each is 32 lower-case letters and digits, the same for the same arguments.
    """
    content = "\n".join((purpose, *(f"{len(part)}:{part}" for part in parts)))
    data = content.encode("utf-8", "surrogatepass")
    return [_short(hmac.digest(key, data, "sha256")) for key in _keys()]


def is_signed(given: str, purpose: str, *parts: str) -> bool:
    """Whether `given` is one of the signatures, in constant time."""
    return matches_any(signatures(purpose, *parts), given)


def _short(digest: bytes) -> str:
    return base64.b32encode(digest[:KEPT]).decode("ascii").lower()


@lru_cache(maxsize=1)
def _keys() -> Sequence[bytes]:
    return tuple(_derive(key.strip()) for key in settings.FIELD_ENCRYPTION_KEYS)


def _derive(key: str) -> bytes:
    """32 bytes from a key of any form (HKDF-SHA256, RFC 5869, without salt)."""
    kdf = HKDF(SHA256(), length=32, salt=None, info=b"automate capabilities")
    return kdf.derive(key.encode("utf-8"))


def _forget_keys(*, setting: str, **_kwargs: Any) -> None:
    if setting == "FIELD_ENCRYPTION_KEYS":
        _keys.cache_clear()


setting_changed.connect(_forget_keys)
