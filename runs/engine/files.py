"""Files within an event: described for templates, read for steps.

A file is a view onto the run's stored body, so that nothing is stored twice. What
templates see of it is a mapping, which may go through outputs and loops like any other;
its bytes are found again by its `reference` and known by its `sha256`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from automate.lib import cloudevents, jsonio
from automate.lib.jsonio import storable_text

DATA = "data"  # the decoded data_base64 of a CloudEvent
_RANGE = re.compile(r"body:(\d{1,9})-(\d{1,9})", re.ASCII)
_KEYS = frozenset(
    {"name", "filename", "content_type", "size", "sha256", "reference"},
)


class NoSuchFile(ValueError):
    """The value names no file of this run's event; the message says why."""


def reference_to(start: int, end: int) -> str:
    """The reference of these bytes of the body."""
    return f"body:{start}-{end}"


def file_of(
    data: bytes | memoryview,
    *,
    content_type: str,
    name: str = "",
    filename: str = "",
    reference: str = "",
) -> dict[str, Any]:
    """What templates see of a file; without a `reference` it is the whole body.

    `filename` is as the sender wrote it, which no part of Automate trusts.
    """
    size = memoryview(data).nbytes
    return {
        "name": storable_text(name),
        "filename": storable_text(filename),
        "content_type": storable_text(content_type)[:200],
        "size": size,
        "sha256": hashlib.sha256(data).hexdigest(),
        "reference": reference or reference_to(0, size),
    }


def is_file(value: Any) -> bool:
    """Whether a value has the form of a file."""
    return isinstance(value, Mapping) and value.keys() == _KEYS


def read(file: Any, body: bytes) -> bytes:
    """The bytes of a file of the event with this body; raises NoSuchFile."""
    if not isinstance(file, Mapping) or not isinstance(file.get("reference"), str):
        raise NoSuchFile("it is no file: a mapping with a reference is one")
    reference = file["reference"]
    found = _data_of(body) if reference == DATA else _slice(body, reference)
    if found is None:
        raise NoSuchFile(f"the event has no {storable_text(reference)[:50]}")
    if hashlib.sha256(found).hexdigest() != file.get("sha256"):
        raise NoSuchFile("it is a file of another event: its sha256 differs")
    return found


def _slice(body: bytes, reference: str) -> bytes | None:
    match = _RANGE.fullmatch(reference)
    if match is None:
        return None
    start, end = int(match[1]), int(match[2])
    return body[start:end] if start <= end <= len(body) else None


def _data_of(body: bytes) -> bytes | None:
    try:
        event = jsonio.loads(body)
        return cloudevents.data_of(event) if isinstance(event, dict) else None
    except ValueError:  # BadJSON, BadEvent
        return None
