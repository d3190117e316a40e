"""Sends the message, reads its fate, keeps the record."""

from __future__ import annotations

import contextlib
import smtplib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from automate.lib import mail
from workflows.actions.base import Action, Context, register
from workflows.actions.email.fate import fate_of, text_of
from workflows.actions.email.message import BadMessage, addresses, build
from workflows.actions.email.schema import CONFIG_SCHEMA
from workflows.actions.outcomes import (
    AttemptOutcome,
    AttemptRecord,
    Done,
    ErrorInfo,
    Fail,
    LogLine,
    Outcome,
    Retry,
)

BODY_LIMIT = 64 * 1024
TAKEN = (250, b"")  # what stands for the answer of a backend that speaks no SMTP


@register
class Email(Action):
    """Output: `{"message_id", "refused": {address: answer}}`."""

    kind = "email"
    label = "E-mail"
    description = "Sends a message through the mail server of the settings."
    config_schema = CONFIG_SCHEMA
    sends = True

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        for key in ("to", "cc", "bcc", "from", "reply_to"):
            if "{{" in str(config.get(key)):
                continue
            try:
                addresses(config, key)
            except BadMessage as error:
                yield key, str(error)

    def target(self, config: Mapping[str, Any]) -> tuple[str, str]:  # noqa: ARG002 - the settings say it
        return "SMTP", _address_of(get_connection())

    def execute(self, context: Context) -> Outcome:
        clock = context.clock
        try:
            message = build(context)
            message.message()  # Django's own checks of the headers
        except (ValueError, UnicodeError) as error:
            return Fail(ErrorInfo("BadConfig", str(error)))
        watch = mail.Watch(time.monotonic() + context.timeout, context.wanted)
        sent = _Sent(context, message, clock.now(), clock.monotonic())
        message.connection = sent.backend = _backend(context.timeout, watch)
        try:
            message.send()
        except mail.NotWanted:
            return Retry(ErrorInfo("NoLongerWanted", "the lease ran out"))
        except (OSError, smtplib.SMTPException) as error:
            if watch.accepted is None:
                return _failed(sent, error, watch)
            # It was taken over; that saying goodbye failed changes nothing.
        finally:
            _hang_up(sent.backend, watch)
        return _delivered(sent, watch)


def _backend(timeout: float, watch: mail.Watch) -> BaseEmailBackend:
    found: BaseEmailBackend = get_connection(timeout=timeout)
    if isinstance(found, mail.Backend):
        found = get_connection(timeout=timeout, watch=watch)
    return found


def _hang_up(backend: BaseEmailBackend, watch: mail.Watch) -> None:
    """Close what a failure left open, without waiting for a goodbye."""
    watch.deadline = 0.0
    with contextlib.suppress(OSError, smtplib.SMTPException):
        backend.close()


def _address_of(backend: BaseEmailBackend) -> str:
    if isinstance(backend, mail.Backend):
        return backend.address
    return f"{type(backend).__module__}".rpartition(".")[2] + "://"


@dataclass
class _Sent:
    """One message on its way, and all that is needed to record it."""

    context: Context
    message: EmailMultiAlternatives
    started_at: datetime
    started: float
    backend: BaseEmailBackend | None = None

    def record(
        self,
        outcome: AttemptOutcome,
        *,
        status: int | None = None,
        reply: str = "",
        kind: str = "",
        error: str = "",
    ) -> AttemptRecord:
        """The attempt as people may read it: a message's headers, then its text."""
        redactor, message = self.context.redactor, self.message
        headers = {
            name: str(value)
            for name, value in message.message().items()
            if name not in ("Content-Type", "MIME-Version", "Content-Transfer-Encoding")
        }
        if message.bcc:
            headers["Bcc"] = ", ".join(message.bcc)
        headers["Subject"] = str(message.subject)
        parts = [str(message.body), *(str(item[0]) for item in message.alternatives)]
        text = "\n\n".join(parts)
        shown, cut = redactor.body(text.encode(), "text/plain", BODY_LIMIT)
        elapsed = self.context.clock.monotonic() - self.started
        assert self.backend is not None  # noqa: S101 - set before anything is sent
        return AttemptRecord(
            method="SMTP",
            url=redactor.url(_address_of(self.backend)),
            request_headers=redactor.headers(headers),
            request_body=shown,
            request_truncated=cut,
            response_status=status,
            response_headers={},
            response_body=redactor.text(reply),
            response_truncated=False,
            error_kind=kind,
            error_message=redactor.text(error),
            outcome=outcome,
            started_at=self.started_at,
            duration_ms=max(0, round(elapsed * 1000)),
        )


def _delivered(sent: _Sent, watch: mail.Watch) -> Outcome:
    reply = watch.accepted or TAKEN
    refused = {address: text_of(said) for address, said in watch.refused.items()}
    attempt = sent.record("delivered", status=reply[0], reply=text_of(reply))
    lines = tuple(
        LogLine("warning", f"The mail server refused {address}: {said}")
        for address, said in refused.items()
    )
    key = sent.message.extra_headers["Message-ID"]
    return Done({"message_id": key, "refused": refused}, attempt, logs=lines)


def _failed(sent: _Sent, error: Exception, watch: mail.Watch) -> Outcome:
    fate = fate_of(error, watch)
    attempt = sent.record(
        fate.outcome,
        status=fate.status,
        reply=fate.reply,
        kind=fate.kind,
        error=fate.message,
    )
    text = sent.context.redactor.text(fate.message)
    info = ErrorInfo(fate.error_class, text)
    if fate.retries(sent.context.retry_on):
        return Retry(info, attempt=attempt)
    return Fail(info, attempt=attempt)
