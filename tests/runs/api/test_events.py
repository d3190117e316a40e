"""GET /api/v1/runs/{id}/events at the web server, and where that leads."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from pytest_django import Settings

from automate import env
from automate.policy import ContentSecurityPolicy
from tests.makers import make_run
from tests.runs.api.conftest import Ask


@pytest.mark.django_db
def test_readers_are_sent_to_the_listener(ask: Ask, settings: Settings) -> None:
    settings.STREAM_URL = "https://stream.example.com"
    run = make_run()
    url = f"https://stream.example.com/api/v1/runs/{run.pk}/events"

    answer = ask(f"runs/{run.pk}/events")

    assert (answer.status_code, answer.headers["Location"]) == (307, url)
    assert ask(f"runs/{run.pk}").json()["links"]["events"] == url


@pytest.mark.django_db
def test_behind_a_proxy_that_forgets_them_they_are_told_so(
    ask: Ask, settings: Settings
) -> None:
    """A redirect would lead them here again, and again."""
    settings.PUBLIC_URL = settings.STREAM_URL = "https://automate.example.com"

    answer = ask(f"runs/{make_run().pk}/events")

    assert answer.status_code == 503
    assert "proxy must pass" in answer.json()["error"]["message"]


@pytest.mark.django_db
def test_it_takes_the_scope_and_the_run_s_team(ask: Ask) -> None:
    run = make_run()

    assert ask(f"runs/{run.pk}/events", "workflows:read").status_code == 403
    assert ask(f"runs/{run.workflow_id}/events").status_code == 404


@pytest.mark.parametrize(
    ("public", "stream"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8001"),
        ("http://[::1]:8123", "http://[::1]:8124"),
        ("https://automate.example.com", "https://automate.example.com"),
        ("https://automate.example.com:8443", "https://automate.example.com:8444"),
    ],
)
def test_where_the_listener_is_follows_from_the_public_address(
    monkeypatch: pytest.MonkeyPatch, public: str, stream: str
) -> None:
    monkeypatch.delenv("AUTOMATE_STREAM_URL", raising=False)
    assert env.stream_url(public) == stream
    monkeypatch.setenv("AUTOMATE_STREAM_URL", "https://s.example.com/")
    assert env.stream_url(public) == "https://s.example.com"


def test_the_policy_lets_pages_reach_the_listener_and_nobody_else(
    settings: Settings,
) -> None:
    settings.STREAM_URL = "http://127.0.0.1:8001"
    answer = ContentSecurityPolicy(lambda _: HttpResponse())(HttpRequest())

    rules = answer.headers["Content-Security-Policy"].split("; ")
    assert "connect-src 'self' http://127.0.0.1:8001" in rules
    assert "default-src 'self'" in rules
