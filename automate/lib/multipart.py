"""multipart/form-data (RFC 7578, RFC 2046), read as a view onto the body's bytes.

Nothing is copied but the texts of fields, and nothing is written anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import decode_rfc2231
from urllib.parse import unquote

from automate.lib.bodies import media_type

MEDIA_TYPE = "multipart/form-data"
MAX_PARTS = 1000
MAX_HEADERS = 8 * 1024  # bytes of one part's
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PADDING = b" \t"


class BadMultipart(ValueError):
    """What is wrong with a multipart body; the message names the part, from 0."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its bytes are `body[start:end]`.

    `filename` is None for an ordinary field, and otherwise as the sender wrote it: it
    may hold slashes, dots and anything else.
    """

    name: str
    filename: str | None
    content_type: str
    start: int
    end: int


def is_multipart(content_type: str) -> bool:
    """Whether a body of this type is a form in parts."""
    return media_type(content_type) == MEDIA_TYPE


def parts_of(body: bytes, content_type: str) -> list[Part]:
    """The parts in their order; raises BadMultipart."""
    delimiter = b"--" + _boundary(content_type)
    found: list[Part] = []
    for number, (start, end) in enumerate(_sections(body, delimiter)):
        if number == MAX_PARTS:
            raise BadMultipart(f"it has more than {MAX_PARTS} parts")
        found.append(_part(body, start, end, number))
    return found


def _boundary(content_type: str) -> bytes:
    message = Message()
    try:
        message["Content-Type"] = content_type
        boundary = message.get_param("boundary")
    except ValueError:
        boundary = None
    if not isinstance(boundary, str) or not _BOUNDARY.fullmatch(boundary):
        raise BadMultipart("its Content-Type has no valid boundary")
    return boundary.encode("ascii")


def _sections(body: bytes, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Where each part begins, headers included, and where its content ends."""
    if body.startswith(delimiter):
        at = len(delimiter)
    else:
        at = body.find(b"\r\n" + delimiter)
        if at < 0:
            raise BadMultipart("its boundary does not occur in it")
        at += 2 + len(delimiter)
    inner = b"\r\n" + delimiter
    while body[at : at + 2] != b"--":
        while body[at : at + 1] in (b" ", b"\t"):
            at += 1
        if body[at : at + 2] != b"\r\n":
            raise BadMultipart(f"something stands behind the boundary at byte {at}")
        # A part without headers begins with the line end that ends them.
        end = body.find(inner, at)
        if end < 0:
            raise BadMultipart("it ends before its last boundary")
        yield at + 2, end
        at = end + len(inner)


def _part(body: bytes, start: int, end: int, number: int) -> Part:
    stop = body.find(b"\r\n\r\n", start, min(end, start + MAX_HEADERS + 4))
    if stop < 0:
        raise BadMultipart(
            f"part {number} has no end of headers within {MAX_HEADERS} bytes"
        )
    lines = body[start:stop].decode("utf-8", "replace").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadMultipart(f"part {number} has a header without a colon")
        headers.setdefault(name.strip().lower(), value.strip())
    name, filename = _disposition(headers.get("content-disposition", ""), number)
    if headers.get("content-transfer-encoding", "binary").lower() not in (
        "binary",
        "7bit",
        "8bit",
    ):
        raise BadMultipart(f"part {number} has a Content-Transfer-Encoding")
    usual = "text/plain" if filename is None else "application/octet-stream"
    kind = headers.get("content-type") or usual
    return Part(name, filename, kind, stop + 4, end)


_PARAMETER = re.compile(
    r""";\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"\s]*)\s*"""
)


def _disposition(header: str, number: int) -> tuple[str, str | None]:
    """Name and file name of a part.

    Browsers write quotes and line ends as %22, %0D and %0A (HTML, section 4.10.21.8).
    """
    kind = header.partition(";")[0]
    found: dict[str, str] = {}
    at = len(kind)
    while match := _PARAMETER.match(header, at):
        found.setdefault(match[1].lower(), _plain(match[2]))
        at = match.end()
    if kind.strip().lower() != "form-data" or at != len(header) or "name" not in found:
        raise BadMultipart(f"part {number} is no field of a form with a name")
    filename = found.get("filename")
    if "filename*" in found:
        charset, _, text = decode_rfc2231(found["filename*"])
        try:
            filename = unquote(text, encoding=charset or "utf-8", errors="replace")
        except LookupError:
            raise BadMultipart(
                f"part {number} has a file name in an unknown charset"
            ) from None
    return found["name"], filename


def _plain(value: str) -> str:
    if value[:1] == '"':
        value = re.sub(r'\\(["\\])', r"\1", value[1:-1])
    for escape, plain in (("%22", '"'), ("%0D", "\r"), ("%0A", "\n")):
        value = value.replace(escape, plain)
    return value
