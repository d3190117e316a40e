"""What became of a message, by what the conversation with the server ended with."""

from __future__ import annotations

import smtplib
import socket
import ssl
from dataclasses import dataclass

from automate.lib.mail import Reply, Watch
from workflows.actions.http_request.classify import ERROR_CLASSES, RETRY_KINDS, matches
from workflows.actions.outcomes import AttemptOutcome

RETRY_STATUSES = ("4xx",)


@dataclass(frozen=True, slots=True)
class Fate:
    """`status` is the server's code, if it answered; `kind` tells the error, if not."""

    outcome: AttemptOutcome
    error_class: str
    message: str
    status: int | None = None
    reply: str = ""
    kind: str = ""

    def retries(self, retry_on: tuple[int | str, ...] | None) -> bool:
        """Whether another attempt may end better: 4xx, and no definite answer."""
        if self.status is not None:
            wanted = RETRY_STATUSES if retry_on is None else retry_on
            return matches(self.status, wanted)
        return self.kind in (RETRY_KINDS if retry_on is None else retry_on)


def text_of(reply: Reply) -> str:
    """A server's answer as text: `250 2.0.0 queued`."""
    return f"{reply[0]} {reply[1].decode('utf-8', 'replace')}".strip()


def fate_of(error: Exception, watch: Watch) -> Fate:
    """What an exception while sending means.

    A server's answer is definite: 4xx may pass, 5xx will not (RFC 5321, 4.2.1). When
    none came after the message had begun to leave, its effect is unknown.
    """
    match error:
        case smtplib.SMTPRecipientsRefused():
            # When some may pass later, later is when to try again.
            replies = sorted(error.recipients.values())
            return _answered(replies[0], "no recipient was accepted")
        case smtplib.SMTPResponseException(smtp_code=code) if 400 <= code <= 599:
            said = error.smtp_error
            raw = said if isinstance(said, bytes) else str(said).encode()
            return _answered((code, raw), _stage(error))
        case smtplib.SMTPNotSupportedError():
            return Fate("not_sent", "MailNotSupported", str(error))
    kind = _kind(error)
    outcome: AttemptOutcome = "unknown" if watch.began else "not_sent"
    when = "after the message had begun to leave" if watch.began else "before it left"
    text = f"the mail server could not be asked: {error}, {when}"
    return Fate(outcome, ERROR_CLASSES.get(kind, "MailFailed"), text, kind=kind)


def _answered(reply: Reply, what: str) -> Fate:
    said = text_of(reply)
    text = f"the mail server answered {said}: {what}"
    return Fate("rejected", f"Smtp{reply[0]}", text, status=reply[0], reply=said)


def _stage(error: smtplib.SMTPResponseException) -> str:
    match error:
        case smtplib.SMTPSenderRefused():
            return "the sender was refused"
        case smtplib.SMTPDataError():
            return "the message was refused"
        case smtplib.SMTPAuthenticationError():
            return "the login of EMAIL_URL was refused"
    return "the conversation was refused"


def _kind(error: BaseException) -> str:
    """The kind of a network error; smtplib hides some of them behind its own."""
    if isinstance(error, smtplib.SMTPServerDisconnected):
        hidden = error.__context__
        return _kind(hidden) if isinstance(hidden, OSError) else "reset"
    for known, kind in (
        (TimeoutError, "timeout"),
        (socket.gaierror, "name"),
        (ssl.SSLError, "tls"),
        (ConnectionResetError, "reset"),
        (BrokenPipeError, "reset"),
        (OSError, "connect"),
    ):
        if isinstance(error, known):
            return kind
    return "protocol"
