"""CloudEvents 1.0 as they travel over HTTP: binary, structured, and in batches.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
and formats/json-format.md there.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from automate.lib import jsonio
from automate.lib.bodies import media_type

PREFIX = "application/cloudevents"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
VERSION = "1.0"
HEADER = "ce-specversion"
REQUIRED = ("id", "source", "type")
MOST_TOLD = 20
Problem = tuple[str, str]
_TEXTS = frozenset(
    {*REQUIRED, "specversion", "subject", "time", "dataschema", "datacontenttype"}
)
_NAME = re.compile(r"[a-z0-9]{1,100}")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
_TIME = re.compile(
    r"(?i)\d{4}-\d\d-\d\dt\d\d:\d\d:\d\d(?:\.\d+)?(?:z|[+-]\d\d:\d\d)", re.ASCII
)
_BLANKS = re.compile(r"[ \t\r\n]*")
_ESCAPED = re.compile(r"\\(.)")
_MEMBERS = json.JSONDecoder()


class BadEvent(ValueError):
    """All that is wrong with an event: pairs of an attribute's place and what it is.

    A place is "source", "ce-source" or "[3].id". At most `MOST_TOLD` of them.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems[:MOST_TOLD]
        super().__init__("; ".join(f"{place} {what}" for place, what in self.problems))


def mode_of(content_type: str, headers: Mapping[str, Any]) -> str:
    """How a request with these headers (by lower-case name) carries events.

    "structured", "batch", "binary"; "unknown" for a format other than JSON, and empty
    where there is no CloudEvent.
    """
    media = media_type(content_type)
    if media.startswith(PREFIX):
        return {STRUCTURED: "structured", BATCH: "batch"}.get(media, "unknown")
    return "binary" if HEADER in headers else ""


def attributes_of(event: Any, place: str = "") -> dict[str, Any]:
    """The context attributes of an event in the JSON format; raises BadEvent.

    Null is the same as not there (JSON format, section 2.2).
    """
    if not isinstance(event, dict):
        raise BadEvent((place or "body", "must be an object: one CloudEvent"))
    found = {
        name: value
        for name, value in event.items()
        if name not in ("data", "data_base64") and value is not None
    }
    before = f"{place}." if place else ""
    _refuse([*_misshapen(found, before), *_wrong(found, before), *_data(event, before)])
    return found


def attributes_in(headers: Mapping[str, str], content_type: str) -> dict[str, Any]:
    """The context attributes of an event in binary mode; raises BadEvent.

    Header values are percent-encoded (HTTP binding, section 3.1.3.2).
    """
    found: dict[str, Any] = {
        name[3:]: _header(value)
        for name, value in headers.items()
        if name.startswith("ce-") and _NAME.fullmatch(name[3:])
    }
    if content_type:
        found["datacontenttype"] = content_type
    empty = [(f"ce-{name}", "must not be empty") for name in _TEXTS
             if found.get(name) == ""]  # fmt: skip
    _refuse([*sorted(empty), *_wrong(found, "ce-")])
    return found


def data_of(event: Mapping[str, Any]) -> bytes | None:
    """The decoded `data_base64` of an event; None where it has none."""
    return _decoded(event, "") if event.get("data_base64") is not None else None


def content_type_of(event: Mapping[str, Any]) -> str:
    """What the data of an event is; JSON unless it says otherwise."""
    given = event.get("datacontenttype")
    return given if isinstance(given, str) else "application/json"


def members(batch: bytes) -> list[bytes]:
    """The events of a batch, each exactly as it stands there.

    Raises BadJSON for what is no JSON, BadEvent for what is no array.
    """
    if not isinstance(jsonio.loads(batch), list):
        raise BadEvent(("body", "must be an array of CloudEvents"))
    return [text.encode() for text in _slices(batch.decode().removeprefix("\ufeff"))]


def _slices(text: str) -> Iterator[str]:
    """The texts of an array's members; the text has been read as an array before."""
    at = text.index("[") + 1
    while text[at := _after_blanks(text, at)] != "]":
        if text[at] == ",":
            at = _after_blanks(text, at + 1)
        _, end = _MEMBERS.raw_decode(text, at)
        yield text[at:end]
        at = end


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise BadEvent(*problems)


def _misshapen(found: Mapping[str, Any], before: str) -> Iterator[Problem]:
    """Names that are none, and values of another type."""
    for name, value in found.items():
        if not _NAME.fullmatch(name):
            yield (
                f"{before}{jsonio.storable_text(name)[:50]}",
                "is no attribute: names hold lower-case letters and digits",
            )
        elif name in _TEXTS:
            if not isinstance(value, str) or not value:
                yield before + name, "must be a text that is not empty"
        elif isinstance(value, float | dict | list):
            yield before + name, "must be a text, a whole number, true or false"


def _wrong(found: Mapping[str, Any], before: str) -> Iterator[Problem]:
    """What is missing, and texts that do not say what they should."""
    for name in ("specversion", *REQUIRED):
        if name not in found:
            yield before + name, "is required"
    texts = {
        name: value
        for name, value in found.items()
        if name in _TEXTS and isinstance(value, str) and value
    }
    if texts.get("specversion", VERSION) != VERSION:
        yield f"{before}specversion", f'must be "{VERSION}"'
    for name in ("id", "source", "type", "subject"):
        if _CONTROLS.search(texts.get(name, "")):
            yield before + name, "must not hold control characters"
    if "time" in texts and not _is_time(texts["time"]):
        yield f"{before}time", "must be a time like 2026-01-31T12:00:00Z"


def _data(event: Mapping[str, Any], before: str) -> Iterator[Problem]:
    if "data_base64" not in event:
        return
    if "data" in event:
        yield f"{before}data_base64", "must not stand beside data"
        return
    try:
        _decoded(event, before)
    except BadEvent as error:
        yield from error.problems


def _is_time(text: str) -> bool:
    """RFC 3339; a leap second is one."""
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(f"{text[:10]}T{text[11:19].replace(':60', ':59')}")
    except ValueError:
        return False
    return True


def _header(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _ESCAPED.sub(r"\1", value[1:-1])
    return jsonio.storable_text(unquote(value, errors="replace"))


def _decoded(event: Mapping[str, Any], before: str) -> bytes:
    text = event.get("data_base64")
    if text is None:
        return b""
    try:
        if not isinstance(text, str):
            raise TypeError
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise BadEvent((f"{before}data_base64", "must be base64")) from None
