"""What a sender gave away under a name that says that it is a secret."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, unquote_plus

from automate.lib import jsonio
from automate.lib.redaction import LARGEST_PARSED, MAX_NESTED_TEXTS
from automate.lib.sensitive import PARAMETER, hidden_keys, is_sensitive_parameter

SHORTEST = 8  # characters: "admin" or "true" would black out half a page
MOST = 1000
LONGEST_NUMBER = 1000  # bits

_PASSWORD = re.compile(r"://[^/\s?#:@\"'<>]{0,200}:([^/\s?#@\"'<>]{1,1000})@")

# A value, whether a name above it hides it, how many texts of JSON it may hold inside
# one another.
_Part = tuple[Any, bool, int]


def given_secrets(tree: Any) -> frozenset[str]:
    """The texts and numbers that redaction hides by name in a JSON tree.

    Also those in texts of JSON, in URLs and forms. By name they are hidden where they
    stand; a template or a receiver may put them elsewhere, so these are to be hidden by
    value too. At most 1,000, of 8 characters or more.
    """
    found: set[str] = set()
    waiting: list[_Part] = [(tree, False, MAX_NESTED_TEXTS)]
    while waiting and len(found) < MOST:
        value, hidden, nested = waiting.pop()
        if isinstance(value, str):
            waiting += _within(value, hidden, nested)
        elif isinstance(value, Mapping):
            keys = () if hidden else hidden_keys(value)
            for key, item in value.items():
                if isinstance(item, str | int | Mapping | list):
                    waiting.append((item, hidden or key in keys, nested))
        elif isinstance(value, list):
            waiting += [(item, hidden, nested) for item in value]
        if hidden and len(text := _text(value)) >= SHORTEST:
            found.add(text)
    return frozenset(found)


def _text(value: Any) -> str:
    """A text, or a number as text; else an empty one."""
    if isinstance(value, int) and value.bit_length() < LONGEST_NUMBER:
        return str(value)
    return value if isinstance(value, str) else ""


def _within(text: str, hidden: bool, nested: int) -> Iterator[_Part]:  # noqa: FBT001 - as in _Part
    """What a text holds in turn: JSON, or the parameters of a URL or a form."""
    if not nested or len(text) < SHORTEST:
        return
    if text[:1] in ("{", "["):
        if len(text) <= LARGEST_PARSED:
            with contextlib.suppress(jsonio.BadJSON):  # then it is a text like others
                yield jsonio.loads(text), hidden, nested - 1
        return
    if "=" in text:
        for match in PARAMETER.finditer(text):
            value = unquote_plus(match[3])
            named = is_sensitive_parameter(unquote_plus(match[2]))
            if named or value[:1] in ("{", "["):  # payload={...}, as GitHub sends it
                yield value, named, nested - 1
    if "@" in text:
        for match in _PASSWORD.finditer(text):
            yield unquote(match[1]), True, nested - 1
