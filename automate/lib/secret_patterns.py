"""Finds secret values in text, in whatever encoding they were written.

For each value there are a few *forms*: the value itself with any mixture of
percent, JSON, HTML and backslash escapes; its base64 at each of the three
alignments (so also inside `user:value`); its hexadecimal. A form's regular
expression is run only when its needle, a run of characters that no encoding
changes, occurs in the text: without a hit a search costs a few substring tests,
and one pass over the text where there are very many values.

An expression takes about 0.2 ms to compile for each character that is neither letter
nor digit. So very long values are searched in the usual spelling of each encoding
alone: senders choose what they call a password.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache, partial
from urllib.parse import quote, quote_plus

SHORTEST = 4
SHORTEST_BASE64 = 6
LONGEST_NEEDLE = 64
MOST_COMPILED = 4000  # characters that need an alternation, of all values together
FEW = 500  # forms that are looked for one after another
GRAM = 6
SHARED = 1000  # characters of values whose finder is kept for others

_ALNUM = re.compile("[A-Za-z0-9]+")
_OTHER = re.compile("[^A-Za-z0-9]")
_RUNS = re.compile(f"[A-Za-z0-9]{{{GRAM},}}")
_BASE64_CHAR = "[A-Za-z0-9+/_-]"
_SHORT_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
# JSON inside JSON doubles the backslashes: three levels.
_ESCAPE = r"\\{1,7}"


class Form:
    """One encoding of one value. An empty needle means: always look."""

    def __init__(self, needle: str, source: Callable[[], str]) -> None:
        self.needle = needle[:LONGEST_NEEDLE]
        self._source = source

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled at the first hit: most texts hold no secret."""
        return re.compile(self._source())

    def replaced(self, text: str, replacement: str) -> str:
        """The text without this form."""
        return self.pattern.sub(lambda _: replacement, text)


class Literal(Form):
    """One spelling, as it stands."""

    def __init__(self, spelling: str) -> None:
        super().__init__(spelling, str)
        self._spelling = spelling

    def replaced(self, text: str, replacement: str) -> str:
        return text.replace(self._spelling, replacement)


class Finder:
    """Replaces every occurrence of some values, the longest first."""

    def __init__(self, values: frozenset[str]) -> None:
        forms: list[Form] = []
        left = MOST_COMPILED
        # The short ones are compiled first: few of them take up what there is.
        for value in sorted(values, key=lambda value: (len(value), value)):
            # Its base64, three times, has about a tenth as many as it is long.
            left -= len(value) // 10 + len(_OTHER.findall(value[: MOST_COMPILED + 1]))
            forms[:0] = _forms(value) if left >= 0 else _spellings(value)
        self._forms = [(form.needle, form) for form in forms]
        # No encoding is shorter than what it encodes, line ends apart.
        lengths = (len(value) - value.count("\r\n") for value in values)
        self._shortest = min(lengths, default=0)

    def replace(self, text: str, replacement: str) -> str:
        """The text without the values."""
        if len(text) < self._shortest:
            return text
        for needle, form in self._candidates(text):
            if needle in text:
                text = form.replaced(text, replacement)
        return text

    def _candidates(self, text: str) -> Iterable[tuple[str, Form]]:
        """The forms whose needles may be in the text, in their order."""
        if len(self._forms) <= FEW:
            return self._forms
        grams, always = self._by_gram
        found = set(always)
        for run in _RUNS.findall(text):
            for start in range(len(run) - GRAM + 1):
                if places := grams.get(run[start : start + GRAM]):
                    found.update(places)
        return [self._forms[place] for place in sorted(found)]

    @cached_property
    def _by_gram(self) -> tuple[dict[str, list[int]], list[int]]:
        """Places of the forms by the beginnings of their needles; those without one."""
        grams: dict[str, list[int]] = defaultdict(list)
        always: list[int] = []
        for place, (needle, _) in enumerate(self._forms):
            if match := _RUNS.search(needle):
                grams[match[0][:GRAM]].append(place)
            else:
                always.append(place)
        return dict(grams), always


def finder(values: frozenset[str]) -> Finder:
    """The finder of these values; runs with the same ones share it, if it is small."""
    if sum(map(len, values)) > SHARED:
        return Finder(values)
    return _shared(values)


@lru_cache(maxsize=256)
def _shared(values: frozenset[str]) -> Finder:
    return Finder(values)


def _forms(value: str) -> Iterator[Form]:
    yield Form(_needle(value), partial(_text_source, value))
    for raw in _encodings(value):
        if len(raw) >= SHORTEST_BASE64:
            for offset in range(3):
                needle = _needle(_core(raw, offset))
                yield Form(needle, partial(_base64_source, raw, offset))
        yield Literal(raw.hex())
        yield Literal(raw.hex().upper())


def _spellings(value: str) -> Iterator[Form]:
    """The value as it is usually written in each encoding, without any mixtures."""
    found: dict[str, None] = {}
    plain = value.replace("\r\n", "\n")
    for text in dict.fromkeys((value, plain, plain.replace("\n", "\r\n"))):
        found |= dict.fromkeys(_spelt(text))
    for raw in _encodings(value):
        if len(raw) >= SHORTEST_BASE64:
            for offset in range(3):
                core = _core(raw, offset)
                found |= {core: None, core.translate(_URLSAFE): None}
        found |= {raw.hex(): None, raw.hex().upper(): None}
    # The longest first: none is cut by one that it holds.
    for spelling in sorted(found, key=len, reverse=True):
        yield Literal(spelling)


_URLSAFE = str.maketrans("+/", "-_")


def _spelt(text: str) -> Iterator[str]:
    yield text
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    for safe in ("", "/"):
        yield quote(text, safe=safe, errors="surrogatepass")
    yield quote_plus(text, errors="surrogatepass")
    yield html.escape(text)
    yield html.escape(text, quote=False)


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


def _core(raw: bytes, offset: int) -> str:
    """The characters of base64 that `raw` alone decides after `offset` other bytes."""
    encoded = base64.b64encode(bytes(offset) + raw).decode("ascii")
    return encoded[-(-8 * offset // 6) : 8 * (offset + len(raw)) // 6]


def _base64_source(raw: bytes, offset: int) -> str:
    source = "".join(map(_base64_char, _core(raw, offset)))
    # The neighbours hold the remaining bits, mixed with those of other bytes.
    before = f"{_BASE64_CHAR}?" if offset else ""
    cut = 8 * (offset + len(raw)) % 6
    after = f"{_BASE64_CHAR}?={{0,2}}" if cut else ""
    return before + source + after


def _base64_char(char: str) -> str:
    if char == "+":
        return r"(?:\+|-|%2[bB])"
    if char == "/":
        return r"(?:\\{0,7}/|_|%2[fF])"
    return char
