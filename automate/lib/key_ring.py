"""The ring of keys that everything encrypted is under: AES-256-GCM (NIST SP 800-38D).

A stored value is `<key id>:` and a 12-byte nonce, the ciphertext and its tag. What it
was written for is authenticated with it: elsewhere it does not decrypt.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

NONCE = 12
TAG = 16
LARGE = 64 * 1024
KEY_ID = 8
_PREFIX = KEY_ID + 1
_HEX = frozenset(b"0123456789abcdef")


class UnknownKey(Exception):
    """The ring lacks the key that a value was written with."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"No key {key_id} in FIELD_ENCRYPTION_KEYS.")
        self.key_id = key_id


class BadToken(Exception):
    """A stored value is damaged, or was written for another column."""


def key_id_of(stored: bytes) -> str:
    """The id of the key that wrote a stored value; "" when it was written by none."""
    head = bytes(stored[:_PREFIX])
    if len(head) == _PREFIX and head[KEY_ID] == 0x3A and _HEX.issuperset(head[:KEY_ID]):
        return head[:KEY_ID].decode("ascii")
    return ""


class KeyRing:
    """Keys by id: the first writes, all read.

    Nonces are random, which is sound for 2**32 values under one key (SP 800-38D,
    section 8.3): put a new key first long before.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises ValueError for no keys and for an empty one."""
        if not keys or not all(key.strip() for key in keys):
            raise ValueError("A key ring needs at least one key, and no empty ones.")
        self._ciphers: dict[bytes, AESGCM] = {}
        for key in keys:
            derived = _derive(key.strip())
            name = hashlib.sha256(derived).hexdigest()[:KEY_ID].encode("ascii")
            self._ciphers.setdefault(name, AESGCM(derived))
        self._first = next(iter(self._ciphers))
        self._writer = self._ciphers[self._first]
        self._head = self._first + b":"

    @property
    def key_ids(self) -> list[str]:
        """Ids of the keys, the writing one first."""
        return [name.decode("ascii") for name in self._ciphers]

    def encrypt(self, plain: bytes, context: str) -> bytes:
        """The stored form of `plain` for the column `context`, under the first key."""
        head, nonce = self._head, os.urandom(NONCE)
        if len(plain) < LARGE:
            return head + nonce + self._writer.encrypt(nonce, plain, context.encode())
        # Written once: the parts of a body of 25 MiB are not put together afterwards.
        start = len(head) + NONCE
        whole = io.BytesIO()
        whole.seek(start + len(plain) + TAG - 1)
        whole.write(b"\x00")
        with whole.getbuffer() as view:
            view[:start] = head + nonce
            self._writer.encrypt_into(nonce, plain, context.encode(), view[start:])
        return whole.getvalue()

    def decrypt(self, stored: bytes, context: str) -> bytes:
        """The plaintext of a stored value. Raises UnknownKey or BadToken."""
        cipher = self._ciphers.get(stored[:KEY_ID])
        if cipher is None:
            key_id = key_id_of(stored)
            if key_id:
                raise UnknownKey(key_id)
            raise BadToken("The stored value names no key.")
        start = _PREFIX + NONCE
        try:
            return cipher.decrypt(
                stored[_PREFIX:start], stored[start:], context.encode()
            )
        except (InvalidTag, ValueError):
            raise BadToken(
                "The stored value is damaged or belongs to another column."
            ) from None

    def reencrypt(self, stored: bytes, context: str) -> bytes | None:
        """The value under the first key; None when it is already.

        Raises UnknownKey or BadToken.
        """
        if stored.startswith(self._head):
            return None
        return self.encrypt(self.decrypt(stored, context), context)


def _derive(key: str) -> bytes:
    """32 bytes from a key of any form (HKDF-SHA256, RFC 5869, without salt)."""
    kdf = HKDF(SHA256(), length=32, salt=None, info=b"automate field encryption")
    return kdf.derive(key.encode("utf-8"))


@lru_cache(maxsize=1)
def get_ring() -> KeyRing:
    """The ring of settings.FIELD_ENCRYPTION_KEYS, made once.

    Raises ImproperlyConfigured when the setting is missing or holds an empty key.
    """
    try:
        return KeyRing(getattr(settings, "FIELD_ENCRYPTION_KEYS", ()))
    except ValueError as error:
        raise ImproperlyConfigured(f"FIELD_ENCRYPTION_KEYS: {error}") from None


def _forget_ring(*, setting: str, **_kwargs: Any) -> None:
    if setting == "FIELD_ENCRYPTION_KEYS":
        get_ring.cache_clear()


setting_changed.connect(_forget_ring)
