"""The API's errors: one format, whoever makes them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import Client, override_settings

from automate.lib.errors import JSON, Code
from automate.policy import content_security_policy
from webhooks.answers import Answer

pytestmark = pytest.mark.urls("tests.automate.errors_urlconf")
PROBLEM = "application/problem+json"


@pytest.fixture
def client() -> Client:
    """Answers 500 as in service, instead of raising in the test."""
    return Client(raise_request_exception=False)


EXPECTED = [
    ("http404", 404, Code.NOT_FOUND),
    ("denied", 403, Code.FORBIDDEN),
    ("database", 503, Code.UNAVAILABLE),
    ("large", 413, Code.BODY_TOO_LARGE),
    ("bug", 500, Code.INTERNAL_ERROR),
    ("drf", 400, Code.VALIDATION_ERROR),
    ("throttled", 429, Code.RATE_LIMITED),
    ("suspicious", 400, Code.MALFORMED),
]


@pytest.mark.parametrize(("fault", "status", "code"), EXPECTED)
def test_every_fault_has_the_one_format(
    client: Client, fault: str, status: int, code: str
) -> None:
    response = client.get(f"/api/v1/fail/{fault}")

    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["code"] == code
    assert error["message"]
    assert "internal detail" not in response.content.decode()


@pytest.mark.parametrize(("fault", "status", "code"), EXPECTED)
def test_every_fault_is_a_problem_when_asked_for(
    client: Client, fault: str, status: int, code: str
) -> None:
    response = client.get(f"/api/v1/fail/{fault}", headers={"accept": PROBLEM})

    assert response.status_code == status
    assert response["Content-Type"] == PROBLEM
    assert response["Vary"] == "Accept"
    problem = response.json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["code"] == code


@pytest.mark.parametrize("fault", ["http404", "denied", "bug", "suspicious"])
def test_views_that_are_not_drfs_answer_alike(client: Client, fault: str) -> None:
    ours = client.get(f"/api/v1/fail/{fault}").json()["error"]["code"]

    assert client.get(f"/api/plain/{fault}").json()["error"]["code"] == ours


def test_details_name_the_first_and_all_fields(client: Client) -> None:
    details = client.get("/api/v1/fail/drf").json()["error"]["details"]

    assert details == {
        "field": "name",
        "issue": "Missing.",
        "errors": [
            {"field": "name", "issue": "Missing."},
            {"field": "size", "issue": "Too big."},
        ],
    }


def test_an_error_of_ours_keeps_its_code_and_headers(client: Client) -> None:
    response = client.get("/api/v1/fail/ours")

    assert response.status_code == 409
    assert response["X-Hint"] == "1"
    assert response.json()["error"] == {
        "code": "RUN_BUSY",
        "message": "Later.",
        "details": {},
    }


@pytest.mark.parametrize(("fault", "seconds"), [("throttled", "2"), ("database", "5")])
def test_who_should_come_back_is_told_when(
    client: Client, fault: str, seconds: str
) -> None:
    assert client.get(f"/api/v1/fail/{fault}")["Retry-After"] == seconds


def test_the_cause_of_a_503_and_of_a_500_is_in_the_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        client.get("/api/v1/fail/database")
        client.get("/api/v1/fail/bug")

    assert "OperationalError" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("path", ["/api/nothing", "/api/v1/nothing", "/v1/nothing"])
def test_an_unknown_address_of_the_api_is_json(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "NOT_FOUND"


def test_a_slash_too_many_is_told(client: Client) -> None:
    message = client.get("/api/v1/runs/").json()["error"]["message"]

    assert "without a slash" in message


@pytest.mark.parametrize("fault", ["http404", "denied", "bug", "suspicious"])
def test_pages_keep_their_html_errors(client: Client, fault: str) -> None:
    response = client.get(f"/pages/{fault}")

    assert response["Content-Type"].startswith("text/html")
    assert response.status_code == {f: s for f, s, _ in EXPECTED}[fault]


HEADERS = {
    "Content-Security-Policy": content_security_policy(),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.mark.parametrize("fault", ["http404", "denied", "bug", "suspicious"])
@pytest.mark.parametrize("where", ["pages", "api/plain", "api/v1/fail"])
def test_errors_carry_the_headers_of_every_page(
    client: Client, where: str, fault: str
) -> None:
    response = client.get(f"/{where}/{fault}")

    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    "place",
    [
        "django.contrib.sessions.middleware.SessionMiddleware.process_request",
        "webhooks.views.receive",
    ],
)
def test_so_do_errors_that_no_view_could_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Also where the edge goes past the rest."""

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("internal detail")

    monkeypatch.setattr(place, fail)
    response = client.get("/v1/webhooks/x" if "webhooks" in place else "/pages/bug")
    found = {name: response.headers.get(name) for name in HEADERS}

    assert response.status_code == 500
    assert b"internal detail" not in response.content
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Content-Security-Policy"] == content_security_policy()


def test_a_page_is_a_problem_too_for_who_asks(client: Client) -> None:
    response = client.get("/pages/http404", headers={"accept": PROBLEM})

    assert response["Content-Type"] == PROBLEM


def test_an_unknown_host_is_json(client: Client) -> None:
    response = client.get("/api/v1/", headers={"host": "evil.example.com"})

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "MALFORMED"


def test_a_wrong_method_names_the_right_ones(client: Client) -> None:
    response = client.delete("/api/v1/fail/bug")

    assert response.status_code == 405
    assert response.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert "GET" in response["Allow"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "MALFORMED"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b'{"a": "' + b"x" * 2_000_000 + b'"}', "application/json", 413,
         "BODY_TOO_LARGE"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_says_why(
    client: Client, body: bytes, content_type: str, status: int, code: str
) -> None:
    response: Any = client.post(
        "/api/v1/fail/bug", data=body, content_type=content_type
    )

    assert response.status_code == status
    assert response.json()["error"]["code"] == code


def test_the_root_lists_what_there_is_to_strangers(client: Client) -> None:
    response = client.get("/api/v1/")

    assert response.status_code == 200
    assert all(
        url.startswith("http://testserver/api/v1/") for url in response.json().values()
    )


@pytest.fixture
def debugging(settings: Any) -> Client:
    """A client of a site with DEBUG on, which its middleware sees as it is loaded."""
    settings.DEBUG = True
    return Client(raise_request_exception=False)


WITH_DEBUG = [
    "/api/v1/fail/bug",
    "/api/v1/fail/http404",
    "/api/plain/bug",
    "/api/plain/http404",
    "/api/v1/nothing",
    "/v1/nothing",
    "/webhook",
]


@pytest.mark.parametrize("path", WITH_DEBUG)
@pytest.mark.parametrize("accept", ["*/*", "text/html", PROBLEM])
def test_programs_get_the_same_errors_with_debug_on(
    debugging: Client, path: str, accept: str
) -> None:
    told = debugging.get(path, headers={"accept": accept})

    assert told["Content-Type"] == (PROBLEM if accept == PROBLEM else JSON)
    assert "internal detail" not in told.content.decode()
    shown = ("Content-Type", "Content-Length", "Vary", "X-Content-Type-Options")
    found = {name: told.headers.get(name) for name in shown}
    usual = plain(path, accept)
    assert (told.status_code, told.json(), found) == (
        usual.status_code,
        usual.json(),
        {name: usual.headers.get(name) for name in shown},
    )


def plain(path: str, accept: str) -> Any:
    """The answer with DEBUG off."""
    with override_settings(DEBUG=False):
        client = Client(raise_request_exception=False)
        return client.get(path, headers={"accept": accept})


def test_an_unknown_host_is_json_with_debug_on(debugging: Client) -> None:
    response = debugging.get("/api/v1/", headers={"host": "evil.example.com"})

    assert response.status_code == 400
    assert "ALLOWED_HOSTS" in response.json()["error"]["message"]


def test_a_crash_at_the_edge_is_json_with_debug_on(
    debugging: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("internal detail")

    monkeypatch.setattr("webhooks.views.receive", fail)
    response = debugging.post("/v1/webhooks/x", b"{}", content_type="application/json")

    assert response.status_code == 500
    assert response.json()["error"]["code"] == Code.INTERNAL_ERROR


def test_what_an_event_is_answered_stays_with_debug_on(
    debugging: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Answer(404, b"Not here.", "text/plain")
    monkeypatch.setattr("webhooks.views.receive", lambda *_: gone)
    response = debugging.post("/v1/webhooks/x", b"{}", content_type="application/json")

    assert (response.status_code, response.content) == (404, b"Not here.")


def test_the_traceback_is_in_the_log_with_debug_on(
    debugging: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        debugging.get("/api/plain/bug")

    assert "ZeroDivisionError: internal detail" in caplog.text
    assert "errors_urlconf.py" in caplog.text


@pytest.mark.parametrize("fault", ["http404", "bug", "suspicious"])
def test_people_keep_the_debug_pages(debugging: Client, fault: str) -> None:
    response = debugging.get(f"/pages/{fault}", headers={"accept": "text/html"})

    assert response["Content-Type"].startswith("text/html")
    assert "internal detail" in response.content.decode()
