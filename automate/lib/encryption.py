"""Encrypted columns: their values are under the ring of keys (`automate.lib.key_ring`).

The column's name, `app_label.Model.field`, is authenticated with each value, so one
that was moved to another column does not decrypt. To rename an encrypted field or its
model is therefore a data migration.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.lookups import Exact
from django_cryptography.fields import EncryptedMixin

from automate.lib import jsonio
from automate.lib.key_ring import BadToken, UnknownKey, get_ring, key_id_of
from automate.lib.sealed import Elsewhere, elsewhere
from automate.lib.sealed import Unreadable as Unreadable

_SERIALISED = "encrypted:"


def is_readable(value: object) -> bool:
    """Whether an encrypted field's value could be decrypted (None could).

    One that is in the payload store is not readable before it was fetched.
    """
    return not isinstance(value, Unreadable)


def may_be_copied(value: object) -> bool:
    """Whether another row of the column can take this value over: as it is, unread."""
    return is_readable(value) or isinstance(value, Elsewhere)


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
