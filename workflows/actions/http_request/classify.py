"""What an answer, or the lack of one, means for the step."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from automate.lib.net.waits import retry_after as retry_after
from workflows.actions.outcomes import AttemptOutcome

RETRY_STATUSES = (408, 425, 429, "5xx")
RETRY_KINDS = ("name", "connect", "tls", "timeout", "reset")
# A gateway's word that it has no answer: the receiver may have acted (RFC 9110).
_UNKNOWN = frozenset({502, 504})
_TELL_NOTHING = frozenset({401, 403, 407, 408, 421, 425, 429})
ERROR_CLASSES = {
    "blocked": "AddressBlocked",
    "name": "NameNotResolved",
    "connect": "ConnectFailed",
    "tls": "TlsFailed",
    "timeout": "TimedOut",
    "reset": "ConnectionReset",
    "protocol": "ProtocolError",
    "redirect": "RedirectRefused",
    "unwanted": "NoLongerWanted",
}


def matches(status: int, wanted: Iterable[int | str]) -> bool:
    """Whether a status is named, itself or by its class ("5xx")."""
    group = f"{status // 100}xx"
    return any(item in (status, group) for item in wanted)


def is_denial(status: int) -> bool:
    """Whether an unsuccessful answer to a verify request tells something all the same.

    A 404 does. A receiver that is busy, broken or elsewhere, or that does not know us,
    tells nothing.
    """
    return 400 <= status < 500 and status not in _TELL_NOTHING


def retries_status(status: int, retry_on: Iterable[int | str] | None) -> bool:
    """Whether an unsuccessful status is worth another attempt."""
    return matches(status, RETRY_STATUSES if retry_on is None else retry_on)


def retries_kind(kind: str, retry_on: Iterable[int | str] | None) -> bool:
    """Whether a network error of this kind is worth another attempt."""
    return kind in (RETRY_KINDS if retry_on is None else tuple(retry_on))


def outcome_of(status: int) -> AttemptOutcome:
    """What a full answer says about the request's effect."""
    if 200 <= status < 300:
        return "delivered"
    return "unknown" if status in _UNKNOWN else "rejected"


def reason(status: int) -> str:
    """`503 Service Unavailable`, or the number alone when it has no name."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
