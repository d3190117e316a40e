"""A mail server on a real socket that answers as a test says."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.message import EmailMessage
from types import TracebackType
from typing import Self

SILENT = ""  # an answer that never comes
GONE = "GONE"  # the connection ends instead of an answer


@dataclass
class Taken:
    """A message that came in whole."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.raw, policy=email.policy.default)


@dataclass
class MailServer:
    """Takes messages on loopback. `answers` has another answer by a command's name.

    Names are connect, ehlo, auth, mail, `rcpt <address>`, data, `message` (what is said
    once a message came in whole) and quit. Several answers are used in turn, the last
    again and again.
    """

    answers: dict[str, str | list[str]] = field(default_factory=dict)
    before_data: Callable[[], None] = lambda: None
    pause: float = 0.0  # seconds before each answer
    taken: list[Taken] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(60)
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def settings(self) -> dict[str, object]:
        """Django's settings that send mail here."""
        return {
            "EMAIL_BACKEND": "automate.lib.mail.Backend",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": self.port,
            "EMAIL_HOST_USER": "",
            "EMAIL_HOST_PASSWORD": "",
            "DEFAULT_FROM_EMAIL": "automate@example.com",
        }

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, _Ended), sock, sock.makefile("rb") as lines:
            self._say(sock, "connect", "220 mail.example.com")
            sender, recipients = "", list[str]()
            while line := lines.readline().decode().rstrip("\r\n"):
                self.commands.append(line)
                word = line.split(" ")[0].lower()
                if word == "ehlo":
                    self._say(sock, word, "250-mail.example.com\r\n250 AUTH PLAIN")
                elif word == "mail":
                    sender, recipients = _address(line), []
                    self._say(sock, word, "250 ok")
                elif word == "rcpt":
                    if self._say(sock, f"rcpt {_address(line)}", "250 ok")[0] == "2":
                        recipients.append(_address(line))
                elif word == "data":
                    self.before_data()
                    if self._say(sock, word, "354 go on")[0] == "3":
                        raw = _message(lines)
                        said = self._say(sock, "message", "250 queued as 7")
                        if said[0] == "2":
                            self.taken.append(Taken(sender, recipients, raw))
                elif word == "quit":
                    self._say(sock, word, "221 bye")
                    return
                else:
                    self._say(sock, word, "250 ok")

    def _say(self, sock: socket.socket, name: str, usual: str) -> str:
        given = self.answers.get(name, usual)
        if isinstance(given, list):
            given = given.pop(0) if len(given) > 1 else given[0]
        if given == GONE:
            raise _Ended
        if given == SILENT:
            sock.recv(1)  # until the other side gives up
            raise _Ended
        time.sleep(self.pause)
        sock.sendall(f"{given}\r\n".encode())
        return given


class _Ended(Exception):
    """The conversation is over."""


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


def _message(lines: Iterable[bytes]) -> bytes:
    raw: list[bytes] = []
    for line in lines:
        if line == b".\r\n":
            return b"".join(raw)
        raw.append(line.removeprefix(b"."))
    raise _Ended
