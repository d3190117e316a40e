"""Finds secret values in text, in whatever encoding they were written.

For each value there are a few *forms*: the value itself with any mixture of
percent, JSON, HTML and backslash escapes; its base64 at each of the three
alignments (so also inside `user:value`); its hexadecimal. A form's regular
expression is run only when its needle, a run of characters that no encoding
changes, occurs in the text: without a hit a search costs a few substring tests.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

SHORTEST = 4
SHORTEST_BASE64 = 6

_ALNUM = re.compile("[A-Za-z0-9]+")
_BASE64_CHAR = "[A-Za-z0-9+/_-]"
_SHORT_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
# JSON inside JSON doubles the backslashes: three levels.
_ESCAPE = r"\\{1,7}"


class Form:
    """One encoding of one value. An empty needle means: always look."""

    def __init__(self, needle: str, source: str) -> None:
        self.needle = needle
        self.source = source

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled at the first hit: most texts hold no secret."""
        return re.compile(self.source)


class Finder:
    """Replaces every occurrence of some values, the longest first."""

    def __init__(self, values: frozenset[str]) -> None:
        ordered = sorted(values, key=lambda value: (-len(value), value))
        forms = [form for value in ordered for form in _forms(value)]
        self._forms = [(form.needle, form) for form in forms]
        # No encoding is shorter than what it encodes, line ends apart.
        lengths = (len(value) - value.count("\r\n") for value in values)
        self._shortest = min(lengths, default=0)

    def replace(self, text: str, replacement: str) -> str:
        """The text without the values."""
        if len(text) < self._shortest:
            return text
        for needle, form in self._forms:
            if needle in text:
                text = form.pattern.sub(lambda _: replacement, text)
        return text


@lru_cache(maxsize=256)
def finder(values: frozenset[str]) -> Finder:
    """The finder of these values; steps of one run share it."""
    return Finder(values)


def _forms(value: str) -> Iterator[Form]:
    yield Form(_needle(value), _text_source(value))
    seen: set[str] = set()
    for raw in _encodings(value):
        if len(raw) >= SHORTEST_BASE64:
            for offset in range(3):
                form = _base64_form(raw, offset)
                if form.source not in seen:
                    seen.add(form.source)
                    yield form
        yield Form(raw.hex(), raw.hex())
        yield Form(raw.hex().upper(), raw.hex().upper())


def _encodings(value: str) -> Iterator[bytes]:
    yield value.encode("utf-8", "surrogatepass")
    if not value.isascii():
        # Basic authentication is sent in Latin-1 by many clients.
        try:
            yield value.encode("latin-1")
        except UnicodeEncodeError:
            return


def _needle(text: str) -> str:
    return max(_ALNUM.findall(text), key=len, default="")


def _text_source(value: str) -> str:
    # A line end may be written as CRLF by a form or a header.
    parts = re.findall(r"\\+|[\s\S]", value.replace("\r\n", "\n"))
    return "".join(_part(part) for part in parts)


def _part(part: str) -> str:
    """The pattern of one character, or of a run of backslashes.

    A run is one part: backslashes that each matched several would backtrack without
    end on a hostile text.
    """
    if part.isascii() and part.isalnum():
        return part
    if part.startswith("\\"):
        count = len(part)
        coded = "|".join(_coded("\\"))
        return rf"(?:\\{{{count},{8 * count}}}|(?:{coded}){{{count}}})"
    options = [*_coded(part), _literal(part)]
    if part == "\n":
        carriage = "|".join([*_coded("\r"), "\r"])
        return f"(?:{carriage})?(?:{'|'.join(options)})"
    return f"(?:{'|'.join(options)})"


def _literal(char: str) -> str:
    if char == " ":
        return r" |\+"
    if char.isascii() and char.isprintable():
        return r"\\{0,7}" + re.escape(char)
    return re.escape(char)


def _coded(char: str) -> Iterator[str]:
    """Patterns of one character's escapes in URLs, JSON and HTML."""
    octets = char.encode("utf-8", "surrogatepass")
    # %(25)* also finds what was encoded twice.
    yield "".join(rf"%(?:25){{0,2}}(?i:{octet:02x})" for octet in octets)
    if "\x80" <= char <= "\xff":
        yield rf"%(?:25){{0,2}}(?i:{ord(char):02x})"
    units = char.encode("utf-16-be", "surrogatepass").hex()
    yield "".join(f"{_ESCAPE}u(?i:{units[i : i + 4]})" for i in range(0, len(units), 4))
    if char in _SHORT_ESCAPES:
        yield _ESCAPE + _SHORT_ESCAPES[char]
    yield rf"&\#0{{0,4}}{ord(char)};"
    yield rf"&\#[xX]0{{0,4}}(?i:{ord(char):x});"
    if char in _ENTITIES:
        yield f"&{_ENTITIES[char]};"


def _base64_form(raw: bytes, offset: int) -> Form:
    """The characters of base64 that `raw` alone decides after `offset` other bytes."""
    encoded = base64.b64encode(bytes(offset) + raw).decode("ascii")
    bits = 8 * (offset + len(raw))
    core = encoded[-(-8 * offset // 6) : bits // 6]
    source = "".join(_base64_char(char) for char in core)
    # The neighbours hold the remaining bits, mixed with those of other bytes.
    before = f"{_BASE64_CHAR}?" if offset else ""
    after = f"{_BASE64_CHAR}?={{0,2}}" if bits % 6 else ""
    return Form(_needle(core), before + source + after)


def _base64_char(char: str) -> str:
    if char == "+":
        return r"(?:\+|-|%2[bB])"
    if char == "/":
        return r"(?:\\{0,7}/|_|%2[fF])"
    return char
