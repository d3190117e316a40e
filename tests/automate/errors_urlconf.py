"""Views that fail in every way, for tests/automate/test_api.py."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate import urls
from automate.lib.rest import ApiError

FAULTS: dict[str, Exception] = {
    "http404": Http404("internal detail"),
    "denied": PermissionDenied("internal detail"),
    "database": OperationalError("internal detail"),
    "large": RequestDataTooBig("internal detail"),
    "bug": ZeroDivisionError("internal detail"),
    "ours": ApiError(409, "RUN_BUSY", "Later.", headers={"X-Hint": "1"}),
    "drf": exceptions.ValidationError({"name": ["Missing."], "size": ["Too big."]}),
    "throttled": exceptions.Throttled(wait=1.2),
    "suspicious": SuspiciousOperation("internal detail"),
}


class Failing(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request, fault: str) -> Response:
        raise FAULTS[fault]

    def post(self, request: Request, fault: str) -> Response:
        return Response(request.data)


def plain(request: HttpRequest, fault: str) -> HttpResponse:
    """Not exempt from CSRF, as REST framework's views are."""
    raise FAULTS[fault]


urlpatterns: list[Any] = [
    path("api/v1/fail/<fault>", Failing.as_view()),
    path("api/plain/<fault>", plain),
    path("pages/<fault>", plain),
    *urls.urlpatterns,
]
handler400 = urls.handler400
handler403 = urls.handler403
handler404 = urls.handler404
handler500 = urls.handler500
