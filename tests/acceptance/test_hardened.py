"""A real server with the settings of a production host, behind a proxy with HTTPS."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import requests
from pytest_django import Settings

from automate.policy import content_security_policy
from tests.acceptance.site import Site
from tests.processes import eventually, running

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.timeout(600)]
GOOD = "J4mYtR8kPz2wQx6vLs9nBd3hFc7gTa1u-EoVi5yXrWqZjKpNlM0"
EMAIL, PASSWORD = "ann@example.com", "a long pass phrase"
HOST = "automate.example.com"
PRODUCTION = {
    "DEBUG": "0",
    "SECRET_KEY": f"{GOOD}-secret",
    "FIELD_ENCRYPTION_KEYS": f"{GOOD}-ring",
    "ALLOWED_HOSTS": HOST,
    "AUTOMATE_PUBLIC_URL": f"https://{HOST}",
    "AUTOMATE_TRUSTED_PROXIES": "127.0.0.0/8",
    "EMAIL_URL": "smtp://mail.example.com:25",
    "AUTOMATE_WEB": "1",
}


class Browser:
    """Requests as the proxy passes them on, with the cookies that a browser keeps."""

    def __init__(self, site: Site) -> None:
        self._url = site.url
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        method: str,
        path: str,
        data: dict[str, str] | None = None,
        host: str = HOST,
    ) -> requests.Response:
        cookies = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        headers = {
            "Host": host,
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "203.0.113.7",
            "Referer": f"https://{HOST}{path}",
            "Cookie": cookies,
        }
        answer = requests.request(
            method,
            f"{self._url}{path}",
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=90,
        )
        for cookie in answer.cookies:
            self.cookies[cookie.name] = str(cookie.value)
        return answer

    def send(self, path: str, **fields: str) -> requests.Response:
        """A form that is opened and sent."""
        page = self.ask("GET", path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text[:1000]
        return self.ask("POST", path, {"csrfmiddlewaretoken": token[1], **fields})

    def sign_in(self, password: str) -> requests.Response:
        return self.send(
            "/admin/login/", username=EMAIL, password=password, next="/admin/"
        )


def test_it_serves_as_a_production_host_should(
    own_database: str | None, tmp_path: Path, settings: Settings
) -> None:
    # Behind a proxy, the stream listener has the site's own address.
    settings.STREAM_URL = f"https://{HOST}"
    site = Site(tmp_path, own_database, PRODUCTION)
    site.manage("migrate", "--verbosity", "0")
    site.manage("collectstatic", "--noinput", "--verbosity", "0")
    account = {"DJANGO_SUPERUSER_EMAIL": EMAIL, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    site.manage("createsuperuser", "--noinput", **account)
    said = site.manage("check", "--deploy", "--fail-level", "WARNING")
    assert "no issues (3 silenced)" in said
    line = [sys.executable, "-m", "automate.web", "--port", str(site.port)]
    with running(line, tmp_path / "web", **site.environment()):
        browser = Browser(site)
        eventually(lambda: _is_up(browser), 120)
        _headers(browser)
        _cookies_and_sessions(site)


def _is_up(browser: Browser) -> bool:
    try:
        return browser.ask("GET", "/livez").status_code == 200
    except requests.ConnectionError:
        return False


def _headers(browser: Browser) -> None:
    for path, host, status in (
        ("/admin/login/", HOST, 200),
        ("/admin/", HOST, 302),
        ("/nothing", HOST, 404),
        ("/api/v1/nothing", HOST, 404),
        ("/admin/login/", "evil.example", 400),
        ("/livez", HOST, 200),
    ):
        answer = browser.ask("GET", path, host=host)
        assert answer.status_code == status, path
        assert answer.headers["Content-Security-Policy"] == content_security_policy()
        if status == 400:
            continue  # refused before the rest is put on it; the policy forbids frames
        assert answer.headers["X-Frame-Options"] == "DENY", path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    refused = browser.ask("POST", "/admin/login/", {"username": "x"})
    assert refused.status_code == 403
    assert refused.headers["Content-Security-Policy"] == content_security_policy()


def _cookies_and_sessions(site: Site) -> None:
    here, there = Browser(site), Browser(site)
    wrong = here.sign_in("wrong")
    assert wrong.status_code == 200
    given = here.sign_in(PASSWORD)
    assert given.status_code == 302
    cookies = given.raw.headers.getlist("Set-Cookie")
    assert {cookie.split("=")[0] for cookie in cookies} == {
        "__Host-sessionid",
        "__Host-csrftoken",
    }
    for cookie in cookies:
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= flags
        assert not any(flag.startswith("domain") for flag in flags)
    before = here.cookies["__Host-sessionid"]
    there.cookies = {"__Host-sessionid": before}
    assert there.ask("GET", "/admin/").status_code == 200
    other = f"{PASSWORD} anew"
    changed = here.send(
        "/admin/password_change/",
        old_password=PASSWORD,
        new_password1=other,
        new_password2=other,
    )
    assert changed.status_code == 302
    assert here.ask("GET", "/admin/").status_code == 200
    assert here.cookies["__Host-sessionid"] != before
    assert there.ask("GET", "/admin/").status_code == 302
