"""JSON from strangers, read strictly; JSON for columns, written safely."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

MAX_DEPTH = 200
MAX_DIGITS = 4300
TOO_DEEP = "[too deep]"

# A text whose end is missing runs to the end of the input: the parser names the
# fault, and no bracket inside it is counted.
_TEXTS = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^][{}]+")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89abAB]|\\u[dD][c-fC-F]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_MAX_BITS = math.floor(MAX_DIGITS * math.log2(10))


class BadJSON(ValueError):
    """What is wrong with a JSON text, and where (in characters) when that is known."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def loads(raw: bytes | str) -> Any:
    """The value of a JSON text (RFC 8259) in UTF-8; a byte order mark is ignored.

    Raises BadJSON also for what Python's parser would let through or fall over:
    nesting deeper than 200, NaN and infinities, numbers too large for a float,
    integers of more than 4,300 digits, a key given twice, lone surrogates.
    """
    return value_of(_decode(raw))


def value_of(text: str) -> Any:
    """The same of a text that is known to be without raw lone surrogates."""
    _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except BadJSON:
        raise
    except json.JSONDecodeError as error:
        raise BadJSON(f"{error.msg} at character {error.pos}", error.pos) from None
    except ValueError:
        # Only int() is left: its digit limit (CVE-2020-10735).
        raise BadJSON(f"a number has more than {MAX_DIGITS} digits") from None
    if _ESCAPED_SURROGATE.search(text):
        _check_surrogates(value)
    return value


def dumps(value: Any) -> str:
    """Compact JSON, not escaped to ASCII.

    Raises ValueError for NaN and infinities, TypeError for what JSON has no form of.
    """
    return _ENCODER.encode(value)


def storable(value: Any) -> Any:
    """The tree as jsonb and text columns can hold it, for readable history.

    NUL and lone surrogates become U+FFFD; NaN, infinities and integers of more than
    4,300 digits become None; what JSON has no form of becomes its text; what lies
    deeper than 200 becomes "[too deep]".
    """
    return _storable(value, MAX_DEPTH)


def storable_text(text: str) -> str:
    """The text with NUL and lone surrogates replaced by U+FFFD."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def _decode(raw: bytes | str) -> str:
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        if isinstance(raw, str):
            raw.encode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJSON(f"not UTF-8 at byte {error.start}", error.start) from None
    except UnicodeEncodeError as error:
        raise BadJSON(
            f"a lone surrogate at character {error.start}", error.start
        ) from None
    return text.removeprefix("\ufeff")


def brackets_of(text: str) -> str:
    """The brackets of a JSON text, without those within its texts."""
    return _NOT_BRACKETS.sub("", _TEXTS.sub("", text))


def given_twice(key: str) -> BadJSON:
    """An object has this key twice."""
    return BadJSON(f"the key {storable_text(key)[:100]!r} is given twice")


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in brackets_of(text):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise BadJSON(f"nested deeper than {MAX_DEPTH} levels")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise given_twice(key)
            seen.add(key)
    return found


def _constant(name: str) -> NoReturn:
    raise BadJSON(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BadJSON(f"the number {text[:40]} is too large")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_constant, parse_float=_float
)


def _check_surrogates(value: Any) -> None:
    try:
        dumps(value).encode("utf-8")
    except UnicodeEncodeError:
        raise BadJSON("a lone surrogate (an escape \\ud800 to \\udfff)") from None


def _storable(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return storable_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return None if value.bit_length() > _MAX_BITS else int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        if depth == 0:
            return TOO_DEEP
        return {
            storable_text(key if isinstance(key, str) else str(key)): _storable(
                item, depth - 1
            )
            for key, item in value.items()
        }
    if isinstance(value, Sequence | set | frozenset) and not isinstance(
        value, bytes | bytearray | memoryview
    ):
        return [_storable(i, depth - 1) for i in value] if depth else TOO_DEEP
    return storable_text(str(value))
