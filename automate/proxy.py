"""Whom a forwarded scheme is believed from."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class TrustedProxies:
    """Takes X-Forwarded-Proto away from senders that are no proxy of ours.

    Django's SECURE_PROXY_SSL_HEADER believes it from everybody.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_X_FORWARDED_PROTO" in request.META and not _is_proxy(request):
            del request.META["HTTP_X_FORWARDED_PROTO"]
        return self._get_response(request)


def _is_proxy(request: HttpRequest) -> bool:
    try:
        sender = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(sender in network for network in settings.TRUSTED_PROXIES)
