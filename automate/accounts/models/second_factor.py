"""A person's second factor: an authenticator app and the codes for when it is lost."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b32encode
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.oath import TOTP

from automate.accounts.models.user import User
from automate.lib.encryption import EncryptedBytesField

STEP = 30  # seconds (RFC 6238, 4.1)
DIGITS = 6
TOLERANCE = 1  # steps before and after
KEY_BYTES = 20  # as long as a SHA-1 (RFC 4226, 4)
RECOVERY_CODES = 10
MOST_COUNTED = 9  # failures: the longest wait between two codes is 2**8 seconds


if TYPE_CHECKING:

    class _Device(models.Model):
        """What django-otp's classes have, which bring no types."""

        id: int
        user: User
        name: str
        confirmed: bool
        objects: ClassVar[models.Manager[Any]]
        throttling_failure_count: int
        persistent_id: str

        class Meta:
            abstract = True

        def throttle_increment(self, *, commit: bool) -> None: ...
        def throttle_reset(self, *, commit: bool) -> None: ...
        def verify_is_allowed(self) -> tuple[bool, Any]: ...
        def set_last_used_timestamp(self, *, commit: bool) -> None: ...

else:

    class _Device(ThrottlingMixin, TimestampMixin, Device):
        class Meta:
            abstract = True


class SecondFactor(_Device):
    """A device of django-otp's, whose key is encrypted and whose codes are hashed.

    Not `confirmed` it is being set up and proves nothing.
    """

    key = EncryptedBytesField()
    last_step = models.BigIntegerField(default=-1)
    recovery = models.JSONField(default=list)

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("user",), name="one_second_factor"),
        )

    def get_throttle_factor(self) -> int:
        """One second after the first failure, then two, four, ..."""
        return 1

    def throttle_increment(self, *, commit: bool = True) -> None:
        """As django-otp's, up to about four minutes: a stranger's guesses must not
        shut the owner out for ever.
        """
        super().throttle_increment(commit=False)
        self.throttling_failure_count = min(self.throttling_failure_count, MOST_COUNTED)
        if commit:
            self.save()

    def verify_token(self, token: str) -> bool:
        """Whether this is the app's code or a recovery code; each is good once.

        Call it under a lock of the row: `django_otp.verify_token`.
        """
        if not self.verify_is_allowed()[0]:
            return False
        code = "".join(token.split()).replace("-", "").lower()
        if not (self._is_of_app(code) or self._is_of_recovery(code)):
            self.throttle_increment()
            return False
        self.throttle_reset(commit=False)
        self.set_last_used_timestamp(commit=False)
        self.save()
        return True

    def _is_of_app(self, code: str) -> bool:
        if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
            return False
        totp = TOTP(self.key, STEP, 0, DIGITS)
        totp.time = time.time()
        if not totp.verify(int(code), TOLERANCE, self.last_step + 1):
            return False
        self.last_step = totp.t()
        return True

    def _is_of_recovery(self, code: str) -> bool:
        hashed = _hash(code)
        if hashed not in self.recovery:
            return False
        self.recovery = [one for one in self.recovery if one != hashed]
        return True

    def new_recovery_codes(self) -> list[str]:
        """Fresh codes, of which only hashes are kept (not saved yet)."""
        made = [
            b32encode(secrets.token_bytes(10)).decode().lower()
            for _ in range(RECOVERY_CODES)
        ]
        self.recovery = [_hash(code) for code in made]
        return ["-".join(code[i : i + 4] for i in range(0, 16, 4)) for code in made]


def new_key() -> bytes:
    """A random key for an app."""
    return secrets.token_bytes(KEY_BYTES)


def _hash(code: Any) -> str:
    """SHA-256, hex: a recovery code has 80 random bits, so no salt is needed."""
    return hashlib.sha256(str(code).encode()).hexdigest()
