"""What stands for an encrypted value that is not, or not yet, in the clear."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

# As long as a key's id, so that one comparison of a column's head tells both apart;
# no id of a key, which is hexadecimal.
MARK = b"payload:"
_NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a value that cannot be decrypted; saved, it keeps its stored bytes."""

    key_id: str
    stored: bytes = field(repr=False)
    reason: str = ""

    def __str__(self) -> str:
        return f"unreadable ({self.reason or 'key ' + (self.key_id or 'unknown')})"


@dataclass(frozen=True, slots=True)
class Elsewhere(Unreadable):
    """Stands for a value in the payload store; saved, it keeps its reference.

    The column holds `payload:<key id>:<store>:<reference>:<size>` in ASCII, the size
    in bytes of plaintext. `automate.lib.payloads.opened` gives the value; whoever does
    not ask for it is told that it is unreadable, never something wrong.
    """

    store: str = ""
    reference: UUID = _NOWHERE
    size: int = 0
    column: Any = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return "unreadable (in the payload store)"


def marker(key_id: str, store: str, reference: UUID, size: int) -> bytes:
    """What a column stores of a value that is in the payload store."""
    return MARK + f"{key_id}:{store}:{reference.hex}:{size}".encode("ascii")


def elsewhere(stored: bytes, column: Any) -> Elsewhere | None:
    """What a column's stored bytes refer to; None when they refer to nothing."""
    if not stored.startswith(MARK):
        return None
    try:
        key_id, store, reference, size = stored[len(MARK) :].decode("ascii").split(":")
        place = UUID(hex=reference)
        return Elsewhere(
            key_id, stored, "", store, place, size=int(size), column=column
        )
    except ValueError:
        return None
