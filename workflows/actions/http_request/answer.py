"""A response as the step's output."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from automate.lib import bodies, jsonio
from automate.lib.net import Response


def lowered(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones joined with a comma (RFC 9110)."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def read_body(response: Response, headers: dict[str, str], wanted: str) -> Any:
    """The body as `wanted` says (auto, json, text).

    None when it is empty or, with auto, binary. Raises jsonio.BadJSON only when JSON
    was asked for by name.
    """
    body = response.body
    if not body:
        return None
    content_type = headers.get("content-type", "")
    if wanted == "json":
        return jsonio.loads(body)
    if wanted == "auto" and _looks_like_json(body, content_type):
        try:
            return jsonio.loads(body)
        except jsonio.BadJSON:
            pass  # said to be JSON and is none: the text is what there is
    text = bodies.decode(body, content_type)
    if text is None and wanted == "text":
        return body.decode("utf-8", "replace")
    return text


def _looks_like_json(body: bytes, content_type: str) -> bool:
    if content_type:
        return bodies.kind_of(content_type) == "json"
    return body.lstrip()[:1] in (b"{", b"[")
