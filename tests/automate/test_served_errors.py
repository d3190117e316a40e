"""Every refusal that a client can get, from the real server: one format, two types."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings

from automate import ports
from tests.makers import make_key, make_user
from tests.processes import eventually, running
from tests.webhooks.test_granian import database_url

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(120),
]
PROBLEM = "application/problem+json"
RUNS, HOOK = "/api/v1/runs", "/v1/webhooks/no-such"
JSON = "Content-Type: application/json"
ZIPPED = "Content-Encoding: gzip"
FORM = "Content-Type: application/x-www-form-urlencoded"
RESUME = "/v1/resume/x/y/z"


@contextmanager
def web(folder: Path, **changes: str) -> Iterator[int]:
    """A web process as `manage.py up` starts it, with views that fail; its port."""
    port = ports.free_port()
    environment = {
        "AUTOMATE_VAR_DIR": str(folder / "var"),
        "AUTOMATE_MAX_BODY": "100000",
        "SECRET_KEY": "for this test only, of forty characters",
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "DJANGO_SETTINGS_MODULE": "tests.automate.served_settings",
        "PYTHONPATH": os.pathsep.join([str(settings.BASE_DIR), *sys.path]),
        **changes,
    }
    line = [sys.executable, "-m", "automate.web", "--port", str(port), "--workers", "1"]
    with running(line, folder / "web.log", **environment):
        eventually(lambda: ports.why_taken("127.0.0.1", port) != "")
        yield port


@pytest.fixture(scope="module")
def port(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None
) -> Iterator[int]:
    with web(tmp_path_factory.mktemp("errors"), DATABASE_URL=database_url()) as port:
        yield port


@pytest.fixture(scope="module")
def without_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    away = "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=2"
    with web(tmp_path_factory.mktemp("away"), DATABASE_URL=away) as port:
        yield port


@pytest.fixture
def key() -> str:
    return make_key(make_user(is_superuser=True), "admin")


def ask(
    port: int, line: str, *headers: str, body: bytes = b"", host: str = "127.0.0.1"
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to these very bytes."""
    head = [f"{line} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    if body and not any(one.startswith(("Content-L", "Transfer")) for one in headers):
        head.append(f"Content-Length: {len(body)}")
    sent = "\r\n".join([*head, "", ""]).encode("latin-1") + body
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(sent)
        with connection.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            told: dict[str, str] = {}
            while text := answer.readline().decode("latin-1").strip():
                name, _, value = text.partition(":")
                told[name.lower()] = value.strip()
            return status, told, answer.read(int(told.get("content-length", -1)))


def error_of(told: dict[str, str], body: bytes, status: int) -> Any:
    """The code of an answer in the format that its type names; fails in any other."""
    found = json.loads(body)
    if told["content-type"] == PROBLEM:
        assert {"type", "title", "status", "detail", "code"} <= set(found)
        assert found["status"] == status
        assert found["detail"]
        return found["code"]
    assert told["content-type"] == "application/json"
    assert set(found) == {"error"}
    assert set(found["error"]) == {"code", "message", "details"}
    assert found["error"]["message"]
    return found["error"]["code"]


many = "&".join(f"a{number}=1" for number in range(1500))
CASES: dict[str, tuple[int, str, str, dict[str, Any]]] = {
    # Django's own
    "unknown host": (400, "MALFORMED", f"GET {RUNS}", {"host": "evil.example"}),
    "no host at all": (400, "MALFORMED", f"GET {RUNS}", {"host": "a b"}),
    "too many fields": (400, "MALFORMED", f"GET {RUNS}?{many}", {}),
    "suspicious": (400, "MALFORMED", "GET /api/v1/fail/suspicious", {}),
    "nul in the path": (404, "NOT_FOUND", "GET /api/v1/runs/%00", {}),
    "csrf": (403, "FORBIDDEN", "POST /api/plain/form", {"body": b"a=1", "type": FORM}),
    "denied": (403, "FORBIDDEN", "GET /api/plain/denied", {}),
    "unknown address": (404, "NOT_FOUND", "GET /api/v1/nothing", {}),
    "another version": (404, "NOT_FOUND", "GET /api/v2/runs", {}),
    "the bare prefix": (404, "NOT_FOUND", "GET /api", {}),
    "beside the hooks": (404, "NOT_FOUND", "POST /webhook", {"body": b"{}"}),
    "two slashes": (404, "NOT_FOUND", "GET //api/v1/runs", {}),
    "crash": (500, "INTERNAL_ERROR", "GET /api/v1/fail/bug", {}),
    "crash beside DRF": (500, "INTERNAL_ERROR", "GET /api/plain/bug", {}),
    "database error": (503, "UNAVAILABLE", "GET /api/v1/fail/database", {}),
    # REST framework's and ours
    "throttled": (429, "RATE_LIMITED", "GET /api/v1/fail/throttled", {}),
    "no key": (401, "UNAUTHORIZED", f"GET {RUNS}", {"key": False}),
    "unknown method": (405, "METHOD_NOT_ALLOWED", f"BREW {RUNS}", {}),
    "trace": (405, "METHOD_NOT_ALLOWED", f"TRACE {RUNS}", {}),
    "bad json": (400, "MALFORMED", "POST /api/v1/trigger", {"body": b"{"}),
    "not unicode": (400, "MALFORMED", "POST /api/v1/trigger", {"body": b'"\xff"'}),
    "too large": (
        413, "BODY_TOO_LARGE", "POST /api/v1/trigger", {"body": b" " * 200_000},
    ),
    "announced as too large": (
        413, "BODY_TOO_LARGE", "POST /api/v1/trigger",
        {"headers": ["Content-Length: 99999999999"]},
    ),
    "large in chunks": (
        413, "BODY_TOO_LARGE", "POST /api/v1/trigger",
        {"headers": ["Transfer-Encoding: chunked"],
         "body": b"30d40\r\n" + b" " * 200_000 + b"\r\n0\r\n\r\n"},
    ),
    "compressed": (
        415, "UNSUPPORTED_ENCODING", "POST /api/v1/trigger",
        {"headers": [ZIPPED], "body": b"x"},
    ),
    "xml": (
        415, "UNSUPPORTED_MEDIA_TYPE", "POST /api/v1/trigger",
        {"type": "Content-Type: text/xml", "body": b"x"},
    ),
    "multipart without boundary": (
        415, "UNSUPPORTED_MEDIA_TYPE", "POST /api/v1/trigger",
        {"type": "Content-Type: multipart/form-data", "body": b"x"},
    ),
    # the edge's
    "unknown hook": (401, "UNAUTHORIZED", f"POST {HOOK}", {"body": b"{}"}),
    "no hook": (401, "UNAUTHORIZED", "POST /v1/webhooks/", {"body": b"{}"}),
    "large hook": (413, "BODY_TOO_LARGE", f"POST {HOOK}", {"body": b" " * 200_000}),
    "compressed hook": (
        415, "UNSUPPORTED_ENCODING", f"POST {HOOK}",
        {"headers": [ZIPPED], "body": b"x"},
    ),
    "no question": (401, "UNAUTHORIZED", f"POST {RESUME}", {"body": b"{}"}),
    # a program elsewhere
    "program": (404, "NOT_FOUND", "GET /no", {"headers": ["Accept: application/json"]}),
}  # fmt: skip


@pytest.mark.parametrize("accept", ["*/*", PROBLEM])
@pytest.mark.parametrize("case", CASES)
def test_every_refusal_has_the_one_format(
    port: int, key: str, case: str, accept: str
) -> None:
    status, code, line, about = CASES[case]
    headers = [*about.get("headers", []), about.get("type", JSON)]
    if not any(one.startswith("Accept") for one in headers) or accept == PROBLEM:
        headers.append(f"Accept: {accept}")
    if about.get("key", True):
        headers.append(f"Authorization: Bearer {key}")
    given = {name: about[name] for name in ("body", "host") if name in about}
    found, told, body = ask(port, line, *headers, **given)

    assert found == status
    assert error_of(told, body, status) == code
    assert (told["content-type"] == PROBLEM) == (accept == PROBLEM)
    assert told["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("status", "line", "headers"),
    [
        (400, "NO SENSE AT ALL", []),
        (400, f"GET {RUNS}\xff", []),
        (400, f"GET {RUNS}", ["A B: c"]),
        (400, f"POST {RUNS}", ["Content-Length: x"]),
        (400, f"POST {RUNS}", ["Content-Length: 1", "Content-Length: 2"]),
        (400, f"POST {RUNS}", ["Transfer-Encoding: gzip"]),
        (414, f"GET {RUNS}?a={'x' * 66_000}", []),
        (431, f"GET {RUNS}", [f"A{number}: 1" for number in range(100)]),
    ],
)
def test_what_is_no_request_is_refused_by_the_server_without_a_body(
    port: int, status: int, line: str, headers: list[str]
) -> None:
    """As docs/api-contracts.md says; nothing of ours has seen it."""
    found, told, body = ask(port, line, *headers)
    assert (found, body) == (status, b"")
    assert "content-type" not in told


@pytest.mark.parametrize("line", [f"GET {RUNS}", f"POST {HOOK}"])
def test_without_the_database_all_is_a_503(without_database: int, line: str) -> None:
    headers = [JSON, f"Authorization: Bearer amk_{'x' * 43}"]
    for accept in ("*/*", PROBLEM):
        status, told, body = ask(
            without_database, line, *headers, f"Accept: {accept}", body=b"{}"
        )
        assert status == 503
        assert error_of(told, body, 503) == "UNAVAILABLE"
        assert int(told["retry-after"]) > 0


def test_a_client_of_oauth_2_reads_what_is_wrong(port: int) -> None:
    session = OAuth2Session(token_endpoint_auth_method="none")
    user = make_user(password="right")
    where = f"http://127.0.0.1:{port}/api/v1/auth/token"
    given = {"grant_type": "password", "username": user.email}

    with pytest.raises(OAuthError) as refused:
        session.fetch_token(where, password="wrong", **given)
    assert refused.value.error == "invalid_grant"
    assert "password is wrong" in refused.value.description
    token = session.fetch_token(where, password="right", **given)
    assert token["token_type"] == "Bearer"
