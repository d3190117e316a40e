"""Django's SMTP backend, which also knows how far a message got."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.core.mail.backends.smtp import EmailBackend

Reply = tuple[int, bytes]

USUAL = 30.0  # seconds for a message that nobody watches
SHORTEST = 0.1  # seconds that each answer may take, also when time is up


class NotWanted(Exception):
    """`Watch.wanted` said no immediately before the message would have been sent."""


@dataclass(slots=True)
class Watch:
    """What is known of one message on its way, and when to give up.

    `deadline` is monotonic seconds; `wanted` is asked before the message leaves.
    `began` says that bytes of the message itself may have left, `accepted` what the
    server said when it took the message over, `refused` whom it will not pass it to.
    """

    deadline: float
    wanted: Callable[[], bool] = lambda: True
    began: bool = False
    accepted: Reply | None = None
    refused: dict[str, Reply] = field(default_factory=dict)
    reply: Reply = (-1, b"")


class _Watched(smtplib.SMTP):
    """A conversation that keeps to its watch's deadline and tells it what happens."""

    def __init__(self, watch: Watch, *args: Any, **kwargs: Any) -> None:
        self._watch = watch
        super().__init__(*args, **kwargs)

    def getreply(self) -> Reply:
        if self.sock is not None:
            left = self._watch.deadline - time.monotonic()
            self.sock.settimeout(max(left, SHORTEST))
        self._watch.reply = super().getreply()
        return self._watch.reply

    def send(self, s: Any) -> None:
        if isinstance(s, bytes):  # commands are text, the message is bytes
            if not self._watch.wanted():
                self.close()
                raise NotWanted
            self._watch.began = True
        super().send(s)

    def rcpt(self, recip: str, options: Any = ()) -> Reply:
        reply = super().rcpt(recip, options)
        if reply[0] not in (250, 251):
            self._watch.refused[recip] = reply
        return reply

    def data(self, msg: Any) -> Reply:
        reply = super().data(msg)
        if reply[0] == 250:
            self._watch.accepted = reply
        return reply


class _WatchedOverTls(_Watched, smtplib.SMTP_SSL):
    """The same with TLS from the start."""


class Backend(EmailBackend):
    """Sends as Django's does; `watch` learns what became of the one message sent."""

    def __init__(self, *args: Any, watch: Watch | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watch = watch

    @property
    def connection_class(self) -> Any:
        watch = self._watch or Watch(time.monotonic() + (self.timeout or USUAL))
        return partial(_WatchedOverTls if self.use_ssl else _Watched, watch)

    @property
    def address(self) -> str:
        """Where it sends to, without credentials."""
        port = f":{self.port}" if self.port else ""
        return f"{'smtps' if self.use_ssl else 'smtp'}://{self.host}{port}"
