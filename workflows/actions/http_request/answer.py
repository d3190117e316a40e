"""A response as the step's output."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Any

from automate.lib import jsonio
from automate.lib.net import Response

_JSON_TYPE = re.compile(r"(?:application|text)/(?:[^;]+\+)?json\s*(?:;|$)", re.I)
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.I)
# Codecs that turn bytes into text and nothing else; Python has stranger ones.
_TEXT_CODECS = re.compile(
    r"utf-(?:8|16|32)(?:-[lb]e)?|ascii|iso8859-\d+|cp\d+|koi8-\w|shift_jis|gbk|gb2312"
    r"|gb18030|big5|euc_\w+"
)


def lowered(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones joined with a comma (RFC 9110)."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def read_body(response: Response, headers: dict[str, str], wanted: str) -> Any:
    """The body as `wanted` says (auto, json, text); None when it is empty.

    Raises jsonio.BadJSON only when JSON was asked for by name.
    """
    if not response.body:
        return None
    content_type = headers.get("content-type", "")
    if wanted == "json":
        return jsonio.loads(response.body)
    looks = _JSON_TYPE.match(content_type.strip()) or (
        not content_type and response.body.lstrip()[:1] in (b"{", b"[")
    )
    if wanted == "auto" and looks:
        try:
            return jsonio.loads(response.body)
        except jsonio.BadJSON:
            return _decode(response.body, content_type)
    return _decode(response.body, content_type)


def _decode(body: bytes, content_type: str) -> str:
    named = _CHARSET.search(content_type)
    codec = "utf-8"
    if named:
        try:
            name = codecs.lookup(named[1]).name
        except LookupError:
            name = ""
        codec = name if _TEXT_CODECS.fullmatch(name) else "utf-8"
    return body.decode(codec, "replace").removeprefix("\ufeff")
