"""The site's error format (docs/api-contracts.md): one shape for every refusal."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from automate.lib import jsonio

JSON = "application/json"
PROBLEM = "application/problem+json"


class Code(StrEnum):
    """The `code` of an error; clients may rely on these."""

    ARCHIVED = "ARCHIVED"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    CONFLICT = "CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    INACTIVE = "INACTIVE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    MALFORMED = "MALFORMED"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    NOT_FOUND = "NOT_FOUND"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    RATE_LIMITED = "RATE_LIMITED"
    RUN_FAILED = "RUN_FAILED"
    SECOND_FACTOR_REQUIRED = "SECOND_FACTOR_REQUIRED"
    UNAUTHORIZED = "UNAUTHORIZED"
    UNAVAILABLE = "UNAVAILABLE"
    UNSUPPORTED_ENCODING = "UNSUPPORTED_ENCODING"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    VALIDATION_ERROR = "VALIDATION_ERROR"


def error_body(
    code: str, message: str, *, errors: Iterable[tuple[str, str]] = ()
) -> dict[str, Any]:
    """`{"error": {"code", "message", "details"}}`; `errors` are (field, issue) pairs.

    `details` holds the first pair as `field` and `issue` and all as `errors`; it is
    empty when there are none.
    """
    listed = _listed(errors)
    details = {**listed[0], "errors": listed} if listed else {}
    return {"error": {"code": str(code), "message": message, "details": details}}


def problem_body(
    code: str, message: str, status: int, *, errors: Iterable[tuple[str, str]] = ()
) -> dict[str, Any]:
    """The same as a problem of RFC 9457, with the extension members code and errors."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _phrase(status),
        "status": status,
        "detail": message,
        "code": str(code),
    }
    listed = _listed(errors)
    return {**body, "errors": listed} if listed else body


def wants_problem(accept: str) -> bool:
    """Whether an Accept header names application/problem+json (and not with q=0)."""
    if PROBLEM not in accept.lower():
        return False
    for item in accept.lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        if media == PROBLEM:
            return not any(_is_zero_weight(one) for one in parameters)
    return False


def encode_error(
    code: str,
    message: str,
    status: int,
    *,
    errors: Iterable[tuple[str, str]] = (),
    accept: str = "",
) -> tuple[bytes, str]:
    """(body, content type) of an error in the form that the Accept header asks for."""
    if wants_problem(accept):
        body, kind = problem_body(code, message, status, errors=errors), PROBLEM
    else:
        body, kind = error_body(code, message, errors=errors), JSON
    return jsonio.dumps(jsonio.storable(body)).encode(), kind


def _listed(errors: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"field": field, "issue": issue} for field, issue in errors]


def _is_zero_weight(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and not value.strip().strip("0.")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
