"""The errors in the description: a component for each status, both forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from automate.lib.errors import JSON, PROBLEM
from automate.lib.rest.described import TEXT

Schema = dict[str, Any]
# By status: the codes that it comes with, and when.
STATUSES: Mapping[int, tuple[tuple[str, ...], str]] = {
    400: (("VALIDATION_ERROR", "MALFORMED"), "The request is not what it must be."),
    401: (
        ("UNAUTHORIZED", "SECOND_FACTOR_REQUIRED"),
        "No key or token, or one that is unknown, expired or ended.",
    ),
    403: (
        ("FORBIDDEN", "SECOND_FACTOR_REQUIRED", "NOT_AN_APPROVER"),
        "The key, or the role, lacks the scope that the message names.",
    ),
    404: (("NOT_FOUND",), "It does not exist, or the caller may not see it."),
    405: (("METHOD_NOT_ALLOWED",), "`Allow` names the methods that are."),
    409: (
        (
            "CONFLICT",
            "ALREADY_ANSWERED",
            "CAMPAIGN_REFUSED",
            "INACTIVE",
            "NOT_WAITING",
            "REDRIVE_REFUSED",
            "TRIAL_REFUSED",
            "WORKFLOW_NOT_RUNNABLE",
        ),
        "Not possible in the present state.",
    ),
    410: (("ARCHIVED", "WAIT_OVER"), "It was there, and nobody takes this any more."),
    412: (("PRECONDITION_FAILED",), "Somebody else changed it first."),
    413: (("BODY_TOO_LARGE",), "The body is larger than may be sent."),
    415: (
        ("UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_ENCODING"),
        "The body is of a type that is not read.",
    ),
    422: (("IDEMPOTENCY_KEY_REUSED",), "The same key came before with another body."),
    429: (("RATE_LIMITED",), "Too many requests; come back after `Retry-After`."),
    500: (("INTERNAL_ERROR", "RUN_FAILED"), "Our fault; the server's log says what."),
    503: (("UNAVAILABLE",), "Something is away; come back after `Retry-After`."),
}
ALWAYS = (500, 503)
_ISSUE: Schema = {
    "type": "object",
    "properties": {"field": TEXT, "issue": TEXT},
    "required": ["field", "issue"],
}
_ISSUES: Schema = {"type": "array", "items": _ISSUE}
ERROR: Schema = {
    "description": "Rely on the status and the code; messages are for people.",
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"$ref": "#/components/schemas/ErrorCode"},
                "message": TEXT,
                "details": {
                    "description": "Empty where no field is to blame; else the first "
                    "of `errors` and all of them.",
                    "type": "object",
                    "properties": {"field": TEXT, "issue": TEXT, "errors": _ISSUES},
                },
            },
            "required": ["code", "message", "details"],
        }
    },
    "required": ["error"],
}
PROBLEM_DETAILS: Schema = {
    "description": "The same by RFC 9457, for who asks for application/problem+json.",
    "type": "object",
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "code": {"$ref": "#/components/schemas/ErrorCode"},
        "errors": _ISSUES,
    },
    "required": ["type", "title", "status", "detail", "code"],
}
OAUTH: Schema = {
    "description": "The answer to a form of OAuth 2 (RFC 6749, section 5.2), which is "
    "a problem besides.",
    "type": "object",
    "properties": {
        "error": TEXT,
        "error_description": TEXT,
        **PROBLEM_DETAILS["properties"],
    },
    "required": ["error", "error_description", *PROBLEM_DETAILS["required"]],
}
_AFTER = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
_SENT: Mapping[int, Schema] = {
    401: {"WWW-Authenticate": {"$ref": "#/components/headers/WWW-Authenticate"}},
    405: {"Allow": {"$ref": "#/components/headers/Allow"}},
    429: _AFTER,
    503: _AFTER,
}


def name_of(status: int) -> str:
    """The name of a status' component: `NotFound`."""
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def response(status: int, why: str = "", *, of_form: bool = False) -> Schema:
    """What is said of a refusal in an operation; `why` where it is its own.

    `of_form`: a form of OAuth 2 is refused in its own words.
    """
    if of_form:
        return _response(status, why or _said(status), ("OAuthError",))
    if not why:
        return {"$ref": f"#/components/responses/{name_of(status)}"}
    return _response(status, why)


def _response(status: int, why: str, besides: tuple[str, ...] = ()) -> Schema:
    content = {
        JSON: {"schema": _one_of("Error", *besides)},
        PROBLEM: {"schema": _one_of("Problem", *besides)},
    }
    found: Schema = {"description": why, "content": content}
    return {**found, "headers": _SENT[status]} if status in _SENT else found


def _one_of(*names: str) -> Schema:
    refs = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return {"anyOf": refs} if len(refs) > 1 else refs[0]


def _said(status: int) -> str:
    codes, why = STATUSES[status]
    return f"{why} Code: {', '.join(f'`{code}`' for code in codes)}."


def components(codes: Iterable[str]) -> Schema:
    """The components that refusals refer to."""
    return {
        "schemas": {
            "ErrorCode": {"type": "string", "enum": sorted(codes)},
            "Error": ERROR,
            "Problem": PROBLEM_DETAILS,
            "OAuthError": OAUTH,
        },
        "responses": {
            name_of(status): _response(status, _said(status)) for status in STATUSES
        },
        "headers": HEADERS,
    }


HEADERS: Schema = {
    "Allow": {"description": "The methods that are.", "schema": TEXT},
    "ETag": {
        "description": "What an edit says it has seen, as `If-Match`.",
        "schema": TEXT,
    },
    "Location": {"description": "The address.", "schema": TEXT},
    "Retry-After": {
        "description": "Seconds.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "How one says who one is.", "schema": TEXT},
}
