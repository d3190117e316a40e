"""Reading a body from a stranger: never more than the cap, never less than was sent."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any, Protocol

from automate.lib.arriving import Stalled

PIECE = 64 * 1024
# What is thrown away so that a sender who is still writing gets to read its refusal.
DRAIN = 32 * 1024 * 1024


class Stream(Protocol):
    """What a WSGI server offers as wsgi.input."""

    def read(self, size: int, /) -> bytes: ...


class BadBody(Exception):
    """The body did not arrive as announced; `message` is for the sender."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class BodyReader:
    """The body of one request, read piece by piece as far as somebody permits."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        """Raises BadBody when nobody can know where the body ends."""
        self._stream: Stream = environ["wsgi.input"]
        self._buffer = BytesIO()  # grows in place, and gives its bytes away uncopied
        self._expects = "100-continue" in environ.get("HTTP_EXPECT", "").lower()
        self.size = 0
        self.length = _announced(environ)

    def read(self, cap: int) -> bytes | None:
        """The whole body; None when it is larger than `cap` bytes.

        A body that is announced as larger is not read at all. May be called again
        with a higher cap. Raises BadBody when the sender stopped half-way.
        """
        if self.length is not None and self.length > cap:
            return None
        while self.size <= cap:
            piece = self._next(cap + 1 - self.size)
            if not piece:
                return self._whole()
            self._buffer.write(piece)
            self.size += len(piece)
        return None

    def discard(self) -> None:
        """Read on without keeping anything: else a refusal is lost in a reset.

        A sender that waits for "100 Continue" has not begun and is left alone.
        """
        self._buffer = BytesIO()
        if self._expects and not self.size:
            return
        limit = self.size + DRAIN
        while self.size < limit:
            try:
                piece = self._next(PIECE)
            except BadBody:
                return
            if not piece:
                return
            self.size += len(piece)

    def _next(self, most: int) -> bytes:
        left = most if self.length is None else min(most, self.length - self.size)
        try:
            return self._stream.read(min(left, PIECE)) if left > 0 else b""
        except Stalled:
            raise BadBody("The body stopped coming.", 408) from None
        except OSError:
            raise BadBody("The body ended before it was complete.") from None

    def _whole(self) -> bytes:
        if self.length is not None and self.size < self.length:
            raise BadBody("The body is shorter than Content-Length says.")
        return self._buffer.getvalue()


def _announced(environ: Mapping[str, Any]) -> int | None:
    """The length of the body in bytes; None when only its end will tell.

    Django reads a chunked body as empty, because WSGI did not know of them; servers
    that end wsgi.input themselves say so.
    """
    text = environ.get("CONTENT_LENGTH") or ""
    chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
    if text and not chunked:
        if not (text.isascii() and text.isdecimal() and len(text) <= 18):
            raise BadBody("Content-Length is not a number.")
        return int(text)
    if environ.get("wsgi.input_terminated"):
        return None
    if chunked:
        raise BadBody("This server needs a Content-Length.", 411)
    return 0
