"""Errors for who speaks OAuth 2: a form at an address of RFC 6749 or RFC 7009.

There `error` is one of a few words (RFC 6749, section 5.2) and cannot be our object.
The answer is a problem of RFC 9457 with those two members besides, so that programs
of either kind find what they look for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from automate.lib import jsonio
from automate.lib.bodies import media_type
from automate.lib.errors import JSON, PROBLEM, problem_body, wants_problem

FORM = "application/x-www-form-urlencoded"
# No cache on the way may keep a token (RFC 6749, section 5.1), nor why there is none.
NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}
GRANT_TYPE = "grant_type"
_BUSY = "temporarily_unavailable"  # of section 4.1.2.1: 5.2 has no word for it
_NOT_IN_DESCRIPTIONS = re.compile(r'[^\x20-\x7e]|["\\]')


def is_form(request: HttpRequest) -> bool:
    """Whether the body came as a form."""
    return media_type(request.META.get("CONTENT_TYPE", "")) == FORM


def answer(
    request: HttpRequest,
    status: int,
    code: str,
    message: str,
    *,
    errors: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    grant: str = "",
) -> HttpResponse:
    """The error as a problem with `error` and `error_description`.

    What is wrong with a password or a token is a 400 `invalid_grant` here: a 401 would
    be about the client, and there is none. `grant` is the `grant_type` that was sent.
    """
    if status in (401, 403):
        status, word = 400, "invalid_grant"
    elif status in (429, 503):
        word = _BUSY
    elif grant and any(field == GRANT_TYPE for field, _ in errors):
        word = "unsupported_grant_type"
    else:
        word = "invalid_request"
    body: dict[str, Any] = {
        "error": word,
        "error_description": _NOT_IN_DESCRIPTIONS.sub("'", message),
        **problem_body(code, message, status, errors=errors),
    }
    accept = request.headers.get("Accept", "")
    kept = {k: v for k, v in (headers or {}).items() if k != "WWW-Authenticate"}
    response = HttpResponse(
        jsonio.dumps(jsonio.storable(body)).encode(),
        status=status,
        content_type=PROBLEM if wants_problem(accept) else JSON,
        headers={**kept, **NOT_KEPT},
    )
    response["Vary"] = "Accept"
    return response
