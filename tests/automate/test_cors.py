"""Pages of other origins: the API alone, without cookies, only where that is set."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as given
from django.test import Client
from pytest_django import Settings

from tests.makers import make_key

pytestmark = pytest.mark.django_db
APP, OTHER = "https://app.example.com", "https://evil.example.com"
MIDDLEWARE = "corsheaders.middleware.CorsMiddleware"
PREFLIGHT = {"Access-Control-Request-Method": "POST"}


@pytest.fixture
def on(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [APP]
    edge, *others = given.MIDDLEWARE
    settings.MIDDLEWARE = [edge, MIDDLEWARE, *others]


def ask(path: str, origin: str, method: str = "get", **headers: str) -> Any:
    return getattr(Client(), method)(path, headers={"Origin": origin, **headers})


def cors(answer: Any) -> dict[str, str]:
    start = "access-control-"
    found = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in found.items() if name.startswith(start)}


def test_it_is_off_unless_origins_are_set() -> None:
    assert MIDDLEWARE not in given.MIDDLEWARE
    assert given.CORS_ALLOWED_ORIGINS == []
    for method in ("get", "options"):
        assert cors(ask("/api/v1/", APP, method, **PREFLIGHT)) == {}


@pytest.mark.usefixtures("on")
def test_a_page_of_an_origin_that_is_set_reads_the_api_and_its_errors() -> None:
    key = make_key()
    for path, headers, status in (
        ("/api/v1/runs", {"X-Api-Key": key}, 200),
        ("/api/v1/runs", {}, 401),
        ("/api/v1/nothing", {}, 404),
    ):
        answer = ask(path, APP, **headers)
        assert answer.status_code == status
        found = cors(answer)
        assert found["access-control-allow-origin"] == APP
        assert "access-control-allow-credentials" not in found
        assert "retry-after" in found["access-control-expose-headers"]
        assert "origin" in answer["Vary"].lower()


@pytest.mark.usefixtures("on")
def test_a_preflight_permits_what_the_api_reads() -> None:
    wanted = "authorization,x-api-key,idempotency-key,if-match,content-type"
    headers = {**PREFLIGHT, "Access-Control-Request-Headers": wanted}
    answer = ask("/api/v1/auth/token", APP, "options", **headers)
    assert answer.status_code == 200
    allowed = cors(answer)["access-control-allow-headers"]
    assert set(wanted.split(",")) <= {name.strip() for name in allowed.split(",")}
    methods = cors(answer)["access-control-allow-methods"]
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(methods.split(", "))


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(
    "origin", [OTHER, "null", f"{APP}.evil.com", "http://app.example.com"]
)
def test_another_origin_is_told_nothing(origin: str) -> None:
    assert "access-control-allow-origin" not in cors(ask("/api/v1/", origin))
    preflight = ask("/api/v1/", origin, "options", **PREFLIGHT)
    assert "access-control-allow-origin" not in cors(preflight)


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(
    "path", ["/admin/login/", "/livez", "/v1/webhooks/x", "/webhook/x", "/x/api/"]
)
def test_nothing_but_the_api_is_open_to_pages(path: str) -> None:
    assert cors(ask(path, APP)) == {}
    assert cors(ask(path, APP, "options", **PREFLIGHT)) == {}
