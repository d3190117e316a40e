"""Bodies of the API as the web server hands them on: in chunks, cut short, large."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from automate.lib.arriving import read_first
from automate.wsgi import application
from runs.models import Run
from runs.services import trigger_payload
from tests.makers import make_key, make_user
from tests.runs.flows import given, publish

pytestmark = pytest.mark.django_db

BODY = b'{"input_data": {"n": 1}, "async_mode": true}'
Send = Callable[..., tuple[int, Any]]


class Breaking(io.BytesIO):
    """A stream whose connection breaks at its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if not piece:
            raise OSError("the connection broke")
        return piece


@pytest.fixture(autouse=True)
def same_connection() -> Iterator[None]:
    """Requests leave the test's database connection open."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def send() -> Send:
    """Start a run by the server's own path; status and JSON."""
    workflow, key = publish(given("a")), make_key(make_user(), "runs:execute")

    def call(stream: io.BytesIO, **environ: Any) -> tuple[int, Any]:
        status: list[str] = []
        request = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/api/v1/workflows/{workflow.pk}/execute",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_X_API_KEY": key,
            "CONTENT_TYPE": "application/json",
            "wsgi.url_scheme": "http",
            "wsgi.input": stream,
            "wsgi.errors": io.StringIO(),
            **environ,
        }
        served = read_first(application, settings.MAX_BODY)
        answer = served(request, lambda line, _headers: status.append(line))
        return int(status[0].split()[0]), json.loads(b"".join(answer))

    return call


def chunked() -> dict[str, Any]:
    return {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


def test_a_body_in_chunks_is_read(send: Send) -> None:
    """Shown to fail where Django is not told a length: the run's input was `{}`."""
    status, answer = send(io.BytesIO(BODY), **chunked())

    assert status == 202, answer
    assert trigger_payload(Run.objects.get()) == {"n": 1}


@pytest.mark.parametrize("how", [chunked(), {}])
def test_a_large_body_is_read_whole(send: Send, how: dict[str, Any]) -> None:
    """Shown to fail where the server's input gives less than was asked for."""
    text = "x" * 300_000
    body = json.dumps({"input_data": text, "async_mode": True}).encode()
    status, answer = send(
        io.BytesIO(body), **(how or {"CONTENT_LENGTH": str(len(body))})
    )

    assert status == 202, answer
    assert trigger_payload(Run.objects.get()) == text


def test_more_chunks_than_permitted_are_refused(send: Send) -> None:
    status, answer = send(io.BytesIO(b" " * (settings.MAX_BODY + 1)), **chunked())

    assert (status, answer["error"]["code"]) == (413, "BODY_TOO_LARGE")
    assert not Run.objects.exists()


@pytest.mark.parametrize("sent", [b"", BODY[:10], b"{}"])
def test_a_body_shorter_than_its_length_is_refused(send: Send, sent: bytes) -> None:
    status, answer = send(io.BytesIO(sent), CONTENT_LENGTH=str(len(BODY)))

    assert (status, answer["error"]["code"]) == (400, "MALFORMED")
    assert "shorter" in answer["error"]["message"]
    assert not Run.objects.exists()


@pytest.mark.parametrize("how", [chunked(), {"CONTENT_LENGTH": str(len(BODY))}])
def test_a_body_that_breaks_off_is_refused(send: Send, how: dict[str, Any]) -> None:
    status, answer = send(Breaking(BODY[:10]), **how)

    assert (status, answer["error"]["code"]) == (400, "MALFORMED")
    assert not Run.objects.exists()
