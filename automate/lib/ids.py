"""Identifiers: sortable UUIDs, unguessable keys and signing secrets."""

from __future__ import annotations

import base64
import os
import secrets
import threading
import time
from datetime import datetime
from uuid import UUID

_COUNTER_BITS = 42
_COUNTER_LIMIT = 1 << _COUNTER_BITS
_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)


class _Generator:
    """Milliseconds, a 42-bit counter, 32 random bits (RFC 9562, sections 5.7, 6.2)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._counter = 0

    def __call__(self) -> UUID:
        tail = int.from_bytes(os.urandom(4), "big")
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._milliseconds:
                self._milliseconds = now
                # The top bit stays free, so that a millisecond cannot run out of
                # numbers however high it starts.
                self._counter = secrets.randbits(_COUNTER_BITS - 1)
            else:
                self._counter += 1
                if self._counter == _COUNTER_LIMIT:
                    self._milliseconds += 1
                    self._counter = 0
            milliseconds, counter = self._milliseconds, self._counter
        number = (
            (milliseconds & 0xFFFF_FFFF_FFFF) << 80
            | (counter >> 30) << 64
            | (counter & 0x3FFF_FFFF) << 32
            | tail
            | _VERSION_AND_VARIANT
        )
        return UUID(int=number)


_generate = _Generator()


def _after_fork() -> None:
    # A lock held by another thread at the fork would stay locked for ever, and the
    # parent's counter would give the child the parent's next numbers.
    global _generate
    _generate = _Generator()


os.register_at_fork(after_in_child=_after_fork)


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562), greater than every earlier one of this process."""
    return _generate()


def first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment: ids made from then on are not below it."""
    milliseconds = max(int(moment.timestamp() * 1000), 0) & 0xFFFF_FFFF_FFFF
    return UUID(int=milliseconds << 80 | _VERSION_AND_VARIANT)


def new_key(bits: int = 128) -> str:
    """A URL-safe random text of `bits` bits. Raises ValueError for fewer than 64.

    It begins with a letter or a digit, at the cost of a twentieth of a bit: a command
    would take "-x" for an option.
    """
    if bits < 64:
        raise ValueError("A key of fewer than 64 bits can be guessed.")
    while True:
        key = secrets.token_urlsafe((bits + 7) // 8)
        if key[0].isalnum():
            return key


def new_secret(size: int = 24) -> str:
    """A Standard Webhooks signing secret: "whsec_" and base64 of random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(size)).decode("ascii")
