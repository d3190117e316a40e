"""Encrypted columns: AES-256-GCM under a ring of keys, bound to their column.

A column holds `<key id>:` and a 12-byte nonce, the ciphertext and its tag
(NIST SP 800-38D). The column's name, `app_label.Model.field`, is authenticated
with it, so a value that was moved to another column does not decrypt. To rename
an encrypted field or its model is therefore a data migration.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import models
from django.db.models.lookups import Exact
from django_cryptography.fields import EncryptedMixin

from automate.lib import jsonio
from automate.lib.sealed import Elsewhere, elsewhere
from automate.lib.sealed import Unreadable as Unreadable

NONCE = 12
KEY_ID = 8
_PREFIX = KEY_ID + 1
_HEX = frozenset(b"0123456789abcdef")
_SERIALISED = "encrypted:"


class UnknownKey(Exception):
    """The ring lacks the key that a value was written with."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"No key {key_id} in FIELD_ENCRYPTION_KEYS.")
        self.key_id = key_id


class BadToken(Exception):
    """A stored value is damaged, or was written for another column."""


def is_readable(value: object) -> bool:
    """Whether an encrypted field's value could be decrypted (None could).

    One that is in the payload store is not readable before it was fetched.
    """
    return not isinstance(value, Unreadable)


def may_be_copied(value: object) -> bool:
    """Whether another row of the column can take this value over: as it is, unread."""
    return is_readable(value) or isinstance(value, Elsewhere)


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
        nonce = os.urandom(NONCE)
        return self._head + nonce + self._writer.encrypt(nonce, plain, context.encode())

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


def reencrypt(stored: bytes, context: str) -> bytes | None:
    """`KeyRing.reencrypt` with the ring of the settings."""
    return get_ring().reencrypt(stored, context)


if TYPE_CHECKING:
    _Exact = Exact[Any]
    _Mixin = models.Field[Any, Any]
else:
    _Exact = Exact
    _Mixin = EncryptedMixin


class _ExactNone(_Exact):
    """`field=None`, which Django turns into `field__isnull=True`; nothing else."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        if rhs is not None:
            raise FieldError("An encrypted column can only be compared with None.")
        super().__init__(lhs, rhs)


class EncryptedField(_Mixin):
    """Base of the encrypted fields: what to store and read back, never by pickle.

    A class between the fork's mixin and the concrete fields: without it `deconstruct`
    would write the fork's own `encrypt(...)` into migrations. The mixin also makes a
    Fernet from SECRET_KEY, which nothing here uses.
    """

    description = "Encrypted value"
    wasinstance = True
    empty_strings_allowed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """As Django's, without `editable=False`, which is the default here."""
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        if self.editable:
            kwargs["editable"] = True
        return name, path, args, kwargs

    def clone(self) -> Any:
        """An unbound copy, made from `deconstruct`."""
        _, _, args, kwargs = self.deconstruct()
        return type(self)(*args, **kwargs)

    def contribute_to_class(
        self, cls: type[models.Model], name: str, *args: Any, **kwargs: Any
    ) -> None:
        """As Django's; notes the column that values are bound to."""
        super().contribute_to_class(cls, name, *args, **kwargs)
        self.context = f"{cls._meta.app_label}.{cls.__name__}.{name}"

    def get_lookup(self, lookup_name: str) -> Any:
        """The lookups isnull and, for None alone, exact."""
        return _ExactNone if lookup_name == "exact" else super().get_lookup(lookup_name)

    def _to_bytes(self, value: Any) -> bytes:
        raise NotImplementedError

    def _from_bytes(self, plain: bytes) -> Any:
        raise NotImplementedError

    def encrypted(self, value: Any) -> bytes:
        """What the column stores for this value, which is not None."""
        return self._dump(value)

    def _dump(self, value: Any) -> bytes:
        if isinstance(value, Unreadable):
            return value.stored
        return get_ring().encrypt(self._to_bytes(value), self.context)

    def _load(self, value: bytes) -> Any:
        stored = bytes(value)
        try:
            plain = get_ring().decrypt(stored, self.context)
        except (UnknownKey, BadToken):
            return elsewhere(stored, self) or Unreadable(key_id_of(stored), stored)
        return self._from_bytes(plain)

    def plain_bytes(self, value: Any) -> bytes:
        """The bytes that are encrypted for this value, which is not None."""
        return self._to_bytes(value)

    def seal(self, plain: bytes, reference: UUID) -> bytes:
        """These plain bytes as the payload store keeps them under this reference."""
        return get_ring().encrypt(plain, self.context_at(reference))

    def unseal(self, token: bytes, reference: UUID) -> Any:
        """The value that `seal` hid. Raises UnknownKey or BadToken."""
        return self._from_bytes(get_ring().decrypt(token, self.context_at(reference)))

    def context_at(self, reference: UUID) -> str:
        """What a stored payload is bound to: its column and its own reference.

        So one that was swapped for another in the store does not decrypt.
        """
        return f"{self.context}@{reference.hex}"

    def value_to_string(self, obj: models.Model) -> str:
        """The stored form in base64: fixtures hold no plaintext."""
        stored = self._dump(self.value_from_object(obj))
        return _SERIALISED + base64.b64encode(stored).decode("ascii")

    def to_python(self, value: Any) -> Any:
        """The value; what `value_to_string` wrote is decrypted."""
        if isinstance(value, str) and value.startswith(_SERIALISED):
            # Only this column's ciphertext authenticates, so no text that a person
            # typed is taken for one.
            try:
                stored = base64.b64decode(value.removeprefix(_SERIALISED))
                return self._from_bytes(get_ring().decrypt(stored, self.context))
            except (ValueError, UnknownKey, BadToken):
                return value
        return value


class EncryptedJSONField(EncryptedField):
    """Any JSON value, encrypted. None is NULL; a value JSON cannot hold raises.

    Texts are kept exactly, with NUL and lone surrogates.
    """

    description = "Encrypted JSON"

    def _to_bytes(self, value: Any) -> bytes:
        return jsonio.dumps(value).encode("utf-8", "surrogatepass")

    def _from_bytes(self, plain: bytes) -> Any:
        return json.loads(plain.decode("utf-8", "surrogatepass"))


class EncryptedBytesField(EncryptedField):
    """Bytes, encrypted. None is NULL; any other type raises TypeError."""

    description = "Encrypted bytes"

    def _to_bytes(self, value: Any) -> bytes:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"{self.context} takes bytes, not {type(value).__name__}.")
        return bytes(value)

    def _from_bytes(self, plain: bytes) -> Any:
        return plain


def encrypted_fields() -> Iterator[tuple[type[models.Model], EncryptedField]]:
    """Every encrypted column of the installed models."""
    for model in apps.get_models():
        for column in model._meta.local_concrete_fields:
            if isinstance(column, EncryptedField):
                yield model, column


def stored_bytes(name: str) -> models.ExpressionWrapper[Any]:
    """An annotation that reads an encrypted column's stored bytes.

    To write such bytes back, assign `Unreadable("", stored)`.
    """
    return models.ExpressionWrapper(
        models.F(name), output_field=models.BinaryField(null=True)
    )
