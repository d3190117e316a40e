"""Scopes on views."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from automate.accounts.models.api_key import Scope
from tests.makers import make_key

pytestmark = pytest.mark.django_db


class Guarded(APIView):
    scopes: ClassVar = {"GET": Scope.RUNS_READ, "POST": Scope.RUNS_EXECUTE}

    def get(self, request: Request) -> Response:
        return Response({})

    def post(self, request: Request) -> Response:
        return Response({})


class Forgotten(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


def ask(view: type[APIView], method: str, *scopes: str) -> Any:
    headers = {"x-api-key": make_key(None, *scopes)} if scopes else {}
    request = APIRequestFactory().generic(method, "/", headers=headers)
    return view.as_view()(request)


@pytest.mark.parametrize(
    ("method", "scopes", "status"),
    [
        ("GET", ["runs:read"], 200),
        ("HEAD", ["runs:read"], 200),
        ("GET", ["admin"], 200),
        ("POST", ["admin"], 200),
        ("POST", ["runs:execute"], 200),
        ("POST", ["runs:read"], 403),
        ("GET", ["runs:execute", "payloads:read"], 403),
        ("OPTIONS", ["metrics:read"], 403),
        ("DELETE", ["runs:read"], 405),
    ],
)
def test_each_method_wants_its_scope(
    method: str, scopes: list[str], status: int
) -> None:
    assert ask(Guarded, method, *scopes).status_code == status


def test_a_missing_scope_is_named() -> None:
    assert b"runs:execute" in ask(Guarded, "POST", "runs:read").content


def test_nobody_is_asked_for_a_key() -> None:
    response = ask(Guarded, "GET")

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="automate"'


def test_a_view_without_scopes_is_closed() -> None:
    with pytest.raises(ImproperlyConfigured, match="Forgotten"):
        ask(Forgotten, "GET", "admin")
