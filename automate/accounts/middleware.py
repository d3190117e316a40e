"""Tells callers of the API how they stand with their rate limit."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from automate.accounts.api.throttling import POLICY, STANDING


class RateHeaders:
    """RateLimit and RateLimit-Policy on every answer to who has a limit, errors too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        standing = request.META.get(STANDING)
        if standing is not None:
            for name, value in standing.headers(POLICY).items():
                response.headers[name] = value
        return response
