"""The API's root and its errors, also those that Django itself makes."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import (
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.urls import reverse
from django.views import csrf, defaults
from rest_framework import exceptions, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from automate.lib.errors import JSON, Code, encode_error, wants_problem
from automate.lib.payloads import PayloadStoreAway
from automate.lib.rest import ApiError
from automate.lib.rest.described import described
from automate.lib.rest.errors import sentence
from automate.lib.rest.strict import flatten
from automate.policy import content_security_policy
from automate.strangers import over_limit

logger = logging.getLogger(__name__)

MACHINE_PATHS = ("/api/", "/v1/", "/webhook/")
RETRY_AFTER = 5  # seconds
LISTED = {
    "api_keys": "api:key-list",
    "workflows": "api:workflow-list",
    "runs": "api:run-list",
    "webhooks": "api:webhook-list",
    "secrets": "api:secret-list",
    "connections": "api:connection-list",
}

ADDRESSES: Mapping[str, Any] = {
    "title": "Addresses",
    "description": "The addresses of the lists by name.",
    "type": "object",
    "properties": {name: {"type": "string", "format": "uri"} for name in LISTED},
    "required": list(LISTED),
}

_CODES = {
    400: Code.VALIDATION_ERROR,
    401: Code.UNAUTHORIZED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    406: Code.NOT_ACCEPTABLE,
    409: Code.CONFLICT,
    413: Code.BODY_TOO_LARGE,
    415: Code.UNSUPPORTED_MEDIA_TYPE,
    429: Code.RATE_LIMITED,
    503: Code.UNAVAILABLE,
}


class Root(APIView):
    """What there is: the addresses of the lists, open to everybody."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @described("list_addresses", {200: ADDRESSES})
    def get(self, request: Request) -> Response:
        """`{name: URL}`."""
        return Response(
            {
                name: request.build_absolute_uri(reverse(view))
                for name, view in LISTED.items()
            }
        )


def exception_handler(
    error: Exception, context: Mapping[str, Any]
) -> HttpResponse | None:
    """The answer to what an API view raised; None lets Django answer 500."""
    request: Request = context["request"]
    if isinstance(error, OperationalError | InterfaceError):
        logger.error(
            "the database failed while answering %s", request.path, exc_info=error
        )
        error = _unavailable("The database does not answer; try again.")
    elif isinstance(error, PayloadStoreAway):
        logger.error("the payload store failed: %s", error)
        error = _unavailable("The payload store does not answer; try again.")
    elif isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, RequestDataTooBig):
        error = ApiError(413, Code.BODY_TOO_LARGE, "The body is too large.")
    elif isinstance(error, UnreadablePostError):
        error = exceptions.ParseError("The body ended before it was complete.")
    if not isinstance(error, exceptions.APIException):
        return None
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        error = over_limit(request._request) or error
    set_rollback()
    code, message, errors = _described(error)
    said: dict[str, Any] = {"errors": errors, "headers": _headers(error)}
    own = getattr(context.get("view"), "error_answer", None)
    found: HttpResponse | None = None
    if own is not None:
        found = own(request, error.status_code, code, message, **said)
    return found or answer(request, error.status_code, code, message, **said)


def answer(
    request: Request | HttpRequest,
    status_code: int,
    code: str,
    message: str,
    *,
    errors: Iterable[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """An error in the form that the request's Accept asks for."""
    accept = request.headers.get("Accept", "")
    body, content_type = encode_error(
        code, message, status_code, errors=errors, accept=accept
    )
    response = HttpResponse(
        body, status=status_code, content_type=content_type, headers=headers
    )
    response["Vary"] = "Accept"
    return response


def _unavailable(message: str) -> ApiError:
    return ApiError(
        503,
        Code.UNAVAILABLE,
        message,
        headers={"Retry-After": str(RETRY_AFTER)},
    )


def _described(
    error: exceptions.APIException,
) -> tuple[str, str, list[tuple[str, str]]]:
    """(code, message, errors) of an exception of DRF's or ours."""
    if isinstance(error, ApiError):
        return error.code, error.message, error.errors
    if isinstance(error, exceptions.ValidationError):
        errors = list(flatten(error.detail))
        return Code.VALIDATION_ERROR, sentence(errors), errors
    if isinstance(error, exceptions.ParseError):
        return Code.MALFORMED, str(error.detail), []
    if isinstance(error, exceptions.NotAuthenticated):
        return (
            Code.UNAUTHORIZED,
            "Send an API key or an access token: Authorization: Bearer <key or token>; "
            "a key also as X-Api-Key: <key>.",
            [],
        )
    code = _CODES.get(error.status_code, Code.INTERNAL_ERROR)
    return code, str(error.detail), []


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = dict(getattr(error, "headers", {}))
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    wait = getattr(error, "wait", None)
    if wait:
        headers["Retry-After"] = str(math.ceil(wait))
    return headers


# --- what Django answers itself -----------------------------------------------


def for_machines(request: HttpRequest) -> bool:
    """Whether an error goes to a program: by the path, or by what it asks for."""
    path = f"/{request.path.lstrip('/')}/"
    accept = request.headers.get("Accept", "")
    return (
        path.startswith(MACHINE_PATHS)
        or wants_problem(accept)
        or (JSON in accept.lower() and "text/html" not in accept.lower())
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: an unknown Host, broken framing, more than may be sent."""
    if not for_machines(request):
        return defaults.bad_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return answer(request, 413, Code.BODY_TOO_LARGE, "The body is too large.")
    message = "The request cannot be understood."
    if isinstance(exception, DisallowedHost):
        message = "The Host header names no host of this site (ALLOWED_HOSTS)."
    elif isinstance(exception, TooManyFieldsSent):
        message = "There are too many fields."
    return answer(request, 400, Code.MALFORMED, message)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    if not for_machines(request):
        return defaults.permission_denied(request, exception)
    return answer(request, 403, Code.FORBIDDEN, "This is not permitted.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: a form that came without, or with another page's, token."""
    if not for_machines(request):
        return csrf.csrf_failure(request, reason)
    message = "The form's token is missing or another's; programs use an API key."
    return answer(request, 403, Code.FORBIDDEN, message)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    if not for_machines(request):
        return defaults.page_not_found(request, exception)
    message = "Nothing has this address."
    if request.path.startswith("/api/") and request.path.endswith("/"):
        message += " Addresses of the API end without a slash."
    return answer(request, 404, Code.NOT_FOUND, message)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: the cause is in the log, never in the answer."""
    if for_machines(request):
        response = answer(
            request,
            status.HTTP_500_INTERNAL_SERVER_ERROR,
            Code.INTERNAL_ERROR,
            "Something failed on our side; the log of the server says what.",
        )
    else:
        response = defaults.server_error(request)
    # The edge goes past the middleware that would add these.
    response.headers.setdefault("Content-Security-Policy", content_security_policy())
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
