"""What a call can raise; all of it is an AutomateError."""

from __future__ import annotations

from typing import Any

import requests


class AutomateError(Exception):
    """Anything that this package raises."""


class Unreachable(AutomateError):
    """Nothing answered, or the answer was cut off."""


class StillRunning(AutomateError):
    """The run has not ended in the time that was given."""


class ApiError(AutomateError):
    """A refusal: `status`, `code` for programs, `message` for people.

    `errors` are the fields that are to blame, each with what is wrong with it;
    `retry_after` is when to come back, in seconds.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.errors: dict[str, str] = {}
        self.retry_after: float | None = None


class BadRequest(ApiError):
    """400: `errors` says which fields."""


class Unauthorized(ApiError):
    """401: no key, or one that is unknown, expired or revoked."""


class Forbidden(ApiError):
    """403: the key lacks the scope that the message names."""


class NotFound(ApiError):
    """404: it does not exist, or the key may not see it."""


class Conflict(ApiError):
    """409: not possible as things are."""


class PreconditionFailed(ApiError):
    """412: somebody else changed it since it was read."""


class RateLimited(ApiError):
    """429, also after all tries."""


class ServerError(ApiError):
    """5xx."""


class Unavailable(ServerError):
    """503: the database is away, also after all tries."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    429: RateLimited,
    503: Unavailable,
}


def error_of(response: requests.Response) -> ApiError:
    """The refusal that this answer is; also one that a proxy made."""
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    told = body.get("error") if isinstance(body, dict) else None
    told = told if isinstance(told, dict) else {}
    kind = _BY_STATUS.get(
        response.status_code, ServerError if response.status_code >= 500 else ApiError
    )
    message = told.get("message") or response.reason or "no reason given"
    error = kind(response.status_code, str(told.get("code", "")), str(message))
    details = told.get("details") or {}
    error.errors = {one["field"]: one["issue"] for one in details.get("errors", ())}
    seconds = response.headers.get("Retry-After", "")
    error.retry_after = float(seconds) if seconds.isdecimal() else None
    return error
