"""Bodies as text: what a content type says, and what the bytes say."""

from __future__ import annotations

import re
from email.message import Message
from typing import Literal

Kind = Literal["json", "form", "text", "binary", "unknown"]

_CHARSET = re.compile(
    r"(?i)(?:utf-?(?:8|16|32)(?:-?[lb]e)?|us-ascii|ascii|latin-?1|iso-8859-\d{1,2}"
    r"|windows-125\d|cp125\d|koi8-[ru]|shift_jis|euc-(?:jp|kr)|gb2312|gbk|gb18030|big5)"
)
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_TEXT_TYPES = frozenset({"javascript", "graphql", "sql", "yaml", "toml", "xml"})
_BINARY_FAMILIES = frozenset({"image", "audio", "video", "font"})


def media_type(content_type: str) -> str:
    """The type of a Content-Type header, in lower case and without parameters."""
    return content_type.partition(";")[0].strip().lower()


def kind_of(content_type: str) -> Kind:
    """What a Content-Type header promises; "unknown" when it promises nothing."""
    essence = media_type(content_type)
    family, _, subtype = essence.partition("/")
    plain = subtype.removeprefix("x-")
    if plain in ("json", "ndjson", "jsonl") or subtype.endswith("+json"):
        return "json"
    if plain == "www-form-urlencoded":
        return "form"
    if family == "text" or plain in _TEXT_TYPES or subtype.endswith(("+xml", "+yaml")):
        return "text"
    return "binary" if family in _BINARY_FAMILIES else "unknown"


def decode(body: bytes, content_type: str) -> str | None:
    """The body as text, or None when it is none.

    The charset of the content type counts when it is a usual one, else UTF-8. Bytes
    of an unknown type are text when they are UTF-8 without control characters.
    """
    kind = kind_of(content_type)
    if kind == "binary" and body:
        return None
    charset = _charset(content_type)
    try:
        text = body.decode(charset)
    except UnicodeDecodeError:
        if kind == "unknown":
            return None
        text = body.decode(charset, "replace")
        # A damaged text is shown; a compressed one is not.
        return text if text.count("\ufffd") * 10 <= len(text) else None
    if kind == "unknown" and _CONTROLS.search(text):
        return None
    return text.removeprefix("\ufeff")


def cut(text: str, limit: int) -> tuple[str, bool]:
    """At most `limit` bytes of UTF-8 in whole characters, and whether it was cut."""
    if 4 * len(text) <= limit:
        return text, False
    raw = text.encode("utf-8")
    if len(raw) <= limit:
        return text, False
    return raw[: max(limit, 0)].decode("utf-8", "ignore"), True


def _charset(content_type: str) -> str:
    if "charset" not in content_type.lower():
        return "utf-8"
    message = Message()
    message["Content-Type"] = content_type
    charset = message.get_param("charset")
    found = charset.strip() if isinstance(charset, str) else ""
    return found if _CHARSET.fullmatch(found) else "utf-8"
