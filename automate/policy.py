"""The content security policy of everything that a browser may show."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'; object-src 'none'"
)
# Django's debug pages bring their style and script along.
OF_DEBUG_PAGES = CONTENT_SECURITY_POLICY.replace(
    "default-src 'self'", "default-src 'self' 'unsafe-inline'"
)


class ContentSecurityPolicy:
    """Puts the policy on every answer that has none, errors and files included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        shows_debug = settings.DEBUG and response.status_code >= 400
        policy = OF_DEBUG_PAGES if shows_debug else CONTENT_SECURITY_POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        return response
