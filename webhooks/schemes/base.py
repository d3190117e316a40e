"""The contract of a signature scheme, and the registry of those that exist."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

from automate.lib import jsonio, signing
from workflows.triggers.schemes import SCHEMES, Scheme


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
    # Which of the secrets proved it, as its place in the sequence; None: not told.
    secret: int | None = None
    # What the provider wants to hear at once, as plain text, instead of a run.
    challenge: str = ""
    # The provider may send the same event again with other bytes.
    body_varies: bool = False


class SignatureRejected(Exception):
    """The sender has not proved who it is; `reason` is for operators, never sent.

    `expired` says that only the timestamp was out of the window.
    """

    def __init__(self, reason: str, *, expired: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.expired = expired


class CannotSign(Exception):
    """No signature can be made of this event or with this secret; says why."""


class SignatureScheme(ABC):
    """One way to sign webhooks: stateless, called from many threads.

    `config` is the scheme's options with the defaults filled in, `secrets` are the
    trigger's current one and, during a rotation, the previous one, as UTF-8. A plugin's
    scheme has its row for `workflows.triggers.schemes` in `data`, and is found by an
    entry point of the group `automate.schemes`.
    """

    name: ClassVar[str]
    data: ClassVar[Scheme | None] = None

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
        """The headers with which this scheme's provider would send an event.

        Raises CannotSign.
        """

    def address(self, event: Outgoing, config: Mapping[str, Any]) -> str:  # noqa: ARG002 - a hook
        """The address to which the provider would send an event."""
        return event.url


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to be signed as its provider would; `secret` is UTF-8.

    `url` is the trigger's address as the provider knows it.
    """

    body: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    now: datetime
    event_id: str = ""
    event_type: str = ""
    url: str = ""
    content_type: str = "application/json"


Kind = TypeVar("Kind", bound=type[SignatureScheme])
_registry: dict[str, SignatureScheme] = {}


def register(scheme: Kind) -> Kind:
    """Make a scheme known under its name. Raises ValueError for a taken name."""
    known = _registry.get(scheme.name)
    if known is not None and type(known).__qualname__ != scheme.__qualname__:
        raise ValueError(f"There is a signature scheme {scheme.name!r} already.")
    _registry[scheme.name] = scheme()
    return scheme


def get(name: str) -> SignatureScheme:
    """The scheme of this name, as `SCHEMES` has it. Raises KeyError."""
    return _registry[SCHEMES[name].name]


def names() -> list[str]:
    """The names of all schemes, sorted."""
    return sorted(name for name in SCHEMES if name in _registry)


def which_secret(
    candidates: Sequence[str | bytes],
    given: str | bytes | Iterable[str],
    header: str,
    what: str = "body",
) -> int:
    """The place of the secret whose signature is given, `candidates` being in order.

    Raises SignatureRejected when none of them is, or when nothing is given.
    """
    place = signing.first_match(candidates, given)
    if not given:
        raise SignatureRejected(f"There is no {header} header.")
    if place is None:
        raise SignatureRejected(f"{header} does not match the {what}.")
    return place


def wire(text: str) -> bytes:
    """The bytes of a header as they were sent: WSGI reads them as Latin-1."""
    return text.encode("latin-1", "replace")


def sent_with(event: Outgoing, config: Mapping[str, Any]) -> dict[str, str]:
    """An event's id and name in the headers that the options name.

    Without one for the id it travels as Idempotency-Key.
    """
    headers = {}
    if event.event_id:
        headers[config["id_header"] or "Idempotency-Key"] = event.event_id
    if config["event_header"] and event.event_type:
        headers[config["event_header"]] = event.event_type
    return headers


def payload_of(raw: RawRequest) -> Mapping[str, Any]:
    """The body as a JSON object; an empty one for any other body.

    For senders who have proved who they are: others do not make us parse.
    """
    try:
        payload = jsonio.loads(raw.body)
    except jsonio.BadJSON:
        return {}
    return payload if isinstance(payload, dict) else {}


def text_of(payload: Mapping[str, Any], key: str) -> str:
    """A member that is a text, else an empty one."""
    value = payload.get(key)
    return value if isinstance(value, str) else ""


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
