"""The content security policy of everything that a browser may show."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

OF_DEBUG_PAGES = "default-src 'self' 'unsafe-inline'"


def content_security_policy() -> str:
    """Everything from here alone, but for events, which the stream listener sends."""
    stream = urlsplit(settings.STREAM_URL)
    return (
        "default-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {stream.scheme}://{stream.netloc}; "
        "frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'self'; object-src 'none'"
    )


class ContentSecurityPolicy:
    """Puts the policy on every answer that has none, errors and files included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        policy = content_security_policy()
        if settings.DEBUG and response.status_code >= 400:
            # Django's debug pages bring their style and script along.
            policy = policy.replace("default-src 'self'", OF_DEBUG_PAGES)
        response.headers.setdefault("Content-Security-Policy", policy)
        return response
