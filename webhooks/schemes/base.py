"""The contract of a signature scheme, and the registry of those that exist."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request before anybody has interpreted it.

    `headers` have lower-case names, `body` is what was sent byte for byte, `url` is
    the address as the sender wrote it.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"
    url: str = ""

    def header(self, name: str) -> str:
        """The value of a header whatever its case; empty when it is missing."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a scheme knows of an event whose sender has proved who it is."""

    event_id: str = ""
    event_type: str = ""
    timestamp: datetime | None = None


class SignatureRejected(Exception):
    """The sender has not proved who it is; `reason` is for operators, never sent.

    `expired` says that only the timestamp was out of the window.
    """

    def __init__(self, reason: str, *, expired: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.expired = expired


class SignatureScheme(ABC):
    """One way to sign webhooks: stateless, called from many threads.

    `config` is the scheme's options with the defaults filled in, `secrets` are the
    trigger's current one and, during a rotation, the previous one, as UTF-8.
    """

    name: ClassVar[str]

    @abstractmethod
    def verify(
        self,
        raw: RawRequest,
        config: Mapping[str, Any],
        secrets: Sequence[bytes],
        now: datetime,
    ) -> Verified:
        """Who sent it and what they call it. Raises SignatureRejected."""

    @abstractmethod
    def sign(self, event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
        """The headers with which this scheme's provider would send an event."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to be signed as its provider would; `secret` is UTF-8."""

    body: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    now: datetime
    event_id: str = ""
    event_type: str = ""


Kind = TypeVar("Kind", bound=type[SignatureScheme])
_registry: dict[str, SignatureScheme] = {}


def register(scheme: Kind) -> Kind:
    """Make a scheme known under its name. Raises ValueError for a taken name."""
    if scheme.name in _registry:
        raise ValueError(f"There is a signature scheme {scheme.name!r} already.")
    _registry[scheme.name] = scheme()
    return scheme


def get(name: str) -> SignatureScheme:
    """The scheme of this name. Raises KeyError."""
    return _registry[name]


def names() -> list[str]:
    """The names of all schemes, sorted."""
    return sorted(_registry)


def within_tolerance(text: str, now: datetime, tolerance: int) -> datetime:
    """The time of Unix seconds in a header, at most `tolerance` seconds from `now`.

    Raises SignatureRejected for anything else, with `expired` when it is too far off.
    """
    # Eleven digits reach the year 5138; datetime fails from the year 10000.
    if not (text.isascii() and text.isdecimal() and len(text) <= 11):
        raise SignatureRejected("The timestamp is not a number of Unix seconds.")
    timestamp = datetime.fromtimestamp(int(text), tz=UTC)
    if abs(now - timestamp) > timedelta(seconds=tolerance):
        side = "old" if timestamp < now else "far in the future"
        message = f"The timestamp {text} is too {side} (tolerance {tolerance} s)."
        raise SignatureRejected(message, expired=True)
    return timestamp
