"""JSON in and out of the API, as strictly as the edge reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.http import QueryDict
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from automate.lib import jsonio
from automate.lib.errors import Code
from automate.lib.rest.errors import ApiError


class StrictJSONParser(BaseParser):
    """One JSON value of at most AUTOMATE_MAX_BODY bytes; an empty body is `{}`."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value. Raises ParseError, or ApiError 413."""
        limit: int = settings.MAX_BODY
        message = f"The body is larger than {limit} bytes (AUTOMATE_MAX_BODY)."
        raw = _read(stream, limit, message, parser_context)
        if not raw.strip():
            return {}
        try:
            return jsonio.loads(raw)
        except jsonio.BadJSON as error:
            raise ParseError(f"The body is not JSON: {error.message}.") from None


class FormParser(BaseParser):
    """A form of a few short fields, each given once."""

    media_type = "application/x-www-form-urlencoded"
    most = 50  # fields
    longest = 64 * 1024  # bytes

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The fields. Raises ParseError, or ApiError 413."""
        message = f"The form is larger than {self.longest} bytes."
        raw = _read(stream, self.longest, message, parser_context)
        try:
            pairs = parse_qsl(
                raw.decode(),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=self.most,
            )
        except ValueError:
            raise ParseError(
                f"The body is not a form in UTF-8 of at most {self.most} fields."
            ) from None
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise ParseError(f"{name} was sent more than once.")
        found = QueryDict(mutable=True)
        for name, value in pairs:
            found[name] = value
        return found


def _read(
    stream: IO[Any], limit: int, message: str, context: Mapping[str, Any] | None
) -> bytes:
    """All of a body of at most `limit` bytes; one announced as larger stays unread.

    Raises ParseError, or ApiError: 413 with `message`, 415 for one that is compressed.
    """
    request = (context or {}).get("request")
    coding = request.META.get("HTTP_CONTENT_ENCODING", "") if request else ""
    if coding.strip().lower() not in ("", "identity"):
        raise ApiError(
            415, Code.UNSUPPORTED_ENCODING, "Send the body without Content-Encoding."
        )
    announced = _announced(context)
    # Of chunks nothing is announced: `arriving` says how many bytes are here.
    chunked = bool(request and request.META.get("HTTP_TRANSFER_ENCODING"))
    too_large = announced > limit and not chunked
    raw: bytes = b"" if too_large else stream.read(limit + 1)
    if too_large or len(raw) > limit:
        raise ApiError(413, Code.BODY_TOO_LARGE, message)
    if len(raw) < announced:
        raise ParseError("The body is shorter than Content-Length says.")
    return raw


def _announced(context: Mapping[str, Any] | None) -> int:
    """What Content-Length says; 0 where nothing does."""
    request = (context or {}).get("request")
    text = request.META.get("CONTENT_LENGTH") or "" if request is not None else ""
    return int(text) if text.isascii() and text.isdecimal() else 0


class FaithfulJSONRenderer(JSONRenderer):
    """JSON in UTF-8; a text that UTF-8 cannot hold (lone surrogates) is escaped."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The bytes of the answer; none for None."""
        try:
            body: bytes = super().render(data, accepted_media_type, renderer_context)
        except UnicodeEncodeError:
            body = _EscapingRenderer().render(
                data, accepted_media_type, renderer_context
            )
        return body


class _EscapingRenderer(JSONRenderer):
    ensure_ascii = True


class AlwaysFirst(BaseContentNegotiation):
    """The view's first parser and renderer that fit; Accept only chooses error forms.

    RFC 9110, section 12.4.1, lets a server disregard Accept: a client that asks for
    problems alone still gets its answers.
    """

    def select_parser(
        self, request: Request, parsers: Iterable[BaseParser]
    ) -> BaseParser | None:
        """The parser of the body's media type; None makes a 415."""
        content_type = request.content_type or "application/json"
        media = content_type.split(";")[0].strip().lower()
        for parser in parsers:
            if parser.media_type == media:
                return parser
        return None

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 - DRF's signature
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        """The first renderer and its media type."""
        first = next(iter(renderers))
        return first, str(first.media_type)
