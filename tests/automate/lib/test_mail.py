"""The SMTP backend of the settings, against a mail server on a real socket."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.mail import EmailMessage, get_connection, send_mail
from django.test import override_settings

from automate import env
from automate.lib.mail import Backend, NotWanted, Watch
from tests.smtp import MailServer


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running, override_settings(**running.settings):
        yield running


def message(**watched: Any) -> tuple[EmailMessage, Watch]:
    watch = Watch(time.monotonic() + 60, **watched)
    to = ["ada@example.com", "bob@example.com"]
    return EmailMessage(to=to, body="x", connection=get_connection(watch=watch)), watch


def test_it_sends_without_a_watch_too(server: MailServer) -> None:
    assert send_mail("Hi", "x", None, ["ada@example.com"]) == 1
    assert server.taken[0].message["Subject"] == "Hi"


def test_the_watch_learns_who_took_it_over_and_whom_it_does_not_reach(
    server: MailServer,
) -> None:
    server.answers["rcpt bob@example.com"] = "550 unknown"
    mail, watch = message()
    mail.send()
    assert watch.accepted == (250, b"queued as 7")
    assert watch.refused == {"bob@example.com": (550, b"unknown")}
    assert watch.began


def test_a_message_that_is_not_wanted_any_more_does_not_leave(
    server: MailServer,
) -> None:
    mail, watch = message(wanted=lambda: False)
    with pytest.raises(NotWanted):
        mail.send()
    assert not watch.began
    assert server.taken == []


def test_a_refused_message_is_not_taken_over(server: MailServer) -> None:
    server.answers["message"] = "554 spam"
    mail, watch = message()
    with pytest.raises(smtplib.SMTPDataError):
        mail.send()
    assert watch.began
    assert watch.accepted is None


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("smtp://ada:hunter22@mail.example.com:25", "smtp://mail.example.com:25"),
        ("smtp+tls://mail.example.com:587", "smtp://mail.example.com:587"),
        ("smtp+ssl://mail.example.com:465", "smtps://mail.example.com:465"),
        ("smtp://mail.example.com", "smtp://mail.example.com"),
    ],
)
def test_mail_servers_of_the_settings_are_reached_by_it(
    url: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    with override_settings(**env.email()):
        backend = get_connection()
    assert isinstance(backend, Backend)
    assert backend.address == address


def test_the_default_prints_mail() -> None:
    assert "console" in env.email()["EMAIL_BACKEND"]
