"""A forwarded scheme counts from our proxies alone."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from automate.proxy import TrustedProxies


@pytest.mark.parametrize(
    ("sender", "secure"),
    [("10.1.2.3", True), ("192.0.2.9", False), ("", False), ("fd00::1", False)],
)
def test_the_scheme_is_believed_from_trusted_proxies(
    settings: Settings, sender: str, secure: bool
) -> None:
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    seen: list[bool] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.is_secure())
        return HttpResponse()

    request = RequestFactory().get("/", headers={"x-forwarded-proto": "https"})
    request.META["REMOTE_ADDR"] = sender
    TrustedProxies(view)(request)

    assert seen == [secure]


def test_it_goes_before_what_asks_for_the_scheme(settings: Settings) -> None:
    order = settings.MIDDLEWARE
    asks = order.index("django.middleware.security.SecurityMiddleware")
    assert order.index("automate.proxy.TrustedProxies") < asks
