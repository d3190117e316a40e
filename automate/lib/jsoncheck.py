"""Whether a large JSON text is well-formed, without the memory that its value takes.

10 MB of `[],` are 300 MB of Python's objects. The text is cut after commas into pieces
that the parser reads one after the other: each with the brackets before it that are
still open, and those closed that it leaves open.
"""

from __future__ import annotations

import codecs
import hashlib
import re
import secrets
from collections.abc import Iterator
from typing import Any

from automate.lib import jsonio
from automate.lib.jsonio import MAX_DEPTH, BadJSON

PIECE = 64 * 1024
MOST_NAMES = 100_000

# Names that stand for what was read before and comes after: nobody can guess them.
_STAND_IN = secrets.token_hex(16)
_LAST = secrets.token_hex(16)
_OURS = {_STAND_IN, _LAST}
_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_TO_A_COMMA = re.compile(rb'(?:(?:%b|[^",]++)*+,)++' % _TEXT, re.DOTALL)
_WHOLE_TEXTS = re.compile(rb'(?:%b|[^"]++)++' % _TEXT, re.DOTALL)
_HEX = rb"[0-9a-fA-F]"
_CHARACTER = rb"\\u(?:(?:[0-9a-ce-fA-CE-F]%b|[dD][0-7])%b%b" % (_HEX, _HEX, _HEX)
_PAIR = rb"|[dD][89abAB]%b{2}\\u[dD][c-fC-F]%b{2})" % (_HEX, _HEX)
_LONG_TEXT = re.compile(
    rb'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|%b%b)*+"' % (_CHARACTER, _PAIR)
)
_CLOSER = {"[": "]", "{": "}"}


def check(raw: bytes) -> None:
    """Raises what `jsonio.loads` would, and BadJSON for too many names in an object.

    Names are remembered while their object is open; of those that do not fit in one
    piece there may be 100,000 at a time.
    """
    _check_encoding(raw)
    _Check().all_of(raw)


def _check_encoding(raw: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(raw), PIECE):
        waiting = len(decoder.getstate()[0])
        try:
            decoder.decode(raw[at : at + PIECE], final=at + PIECE >= len(raw))
        except UnicodeDecodeError as error:
            where = at - waiting + error.start
            raise BadJSON(f"not UTF-8 at byte {where}", where) from None


def _pieces(raw: bytes, at: int) -> Iterator[str]:
    """The text in pieces that end after a comma, and what comes after the last one.

    In place of a text longer than a piece stands its digest.
    """
    head: list[bytes] = []
    while at < len(raw):
        limit = min(at + PIECE, len(raw))
        found = _TO_A_COMMA.match(raw, at, limit)
        if found:
            yield b"".join([*head, found[0]]).decode()
            head = []
        else:
            found = _WHOLE_TEXTS.match(raw, at, limit)
            if found:
                head.append(found[0])
            else:
                found = _LONG_TEXT.match(raw, at)
                if found is None:
                    raise BadJSON(
                        f"the text at byte {at} has no end, or a control character, a "
                        "lone surrogate or another escape that is none",
                        at,
                    )
                digest = hashlib.sha256(memoryview(raw)[at : found.end()])
                head.append(b'"%b"' % digest.hexdigest().encode())
        at = found.end()
    yield b"".join(head).decode()


class _Check:
    """What is open between two pieces: brackets, and the names of each object."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.names: list[set[str]] = []
        self.read = 0

    def all_of(self, raw: bytes) -> None:
        before = ""
        for piece in _pieces(raw, 3 if raw.startswith(codecs.BOM_UTF8) else 0):
            if before:
                self._piece(before)
            before = piece
        self._note_names(self._value_of(self._opened() + before))

    def _piece(self, piece: str) -> None:
        closed, opened = _left_open(piece)
        kept = max(len(self.open) - len(closed), 0)
        after = [*self.open[:kept], *opened]
        if len(after) > MAX_DEPTH:
            raise BadJSON(f"nested deeper than {MAX_DEPTH} levels")
        value = self._value_of(self._opened() + piece + _to_close(after))
        self._note_names(value)
        self.names = self.names[:kept] + _names_of(value, len(after))[kept:]
        self.open = after
        self.read += len(piece)
        if sum(map(len, self.names)) > MOST_NAMES:
            raise BadJSON(f"an object has more than {MOST_NAMES:,} names")

    def _opened(self) -> str:
        """The brackets that are open, and that another member is due in the last."""
        if not self.open:
            return ""
        outer = "".join(_opening(bracket) for bracket in self.open)
        return f"{outer}0,"

    def _value_of(self, text: str) -> Any:
        try:
            return jsonio.value_of(text)
        except BadJSON as error:
            if error.position is None:
                raise
            where = self.read + max(error.position - len(self._opened()), 0)
            what = error.message.rpartition(" at character ")[0]
            raise BadJSON(f"{what} at character {where}", where) from None

    def _note_names(self, value: Any) -> None:
        """The names that this piece adds to what was open before it."""
        for names in self.names:
            if isinstance(value, dict):
                new = value.keys() - _OURS
                twice = names & new
                if twice:
                    raise jsonio.given_twice(min(twice))
                names |= new
                value = value.get(_STAND_IN)
            else:
                value = value[0]


def _left_open(piece: str) -> tuple[list[str], list[str]]:
    """The brackets that it closes and did not open, those that it leaves open.

    The parser tells whether those that are taken for pairs are.
    """
    closed: list[str] = []
    opened: list[str] = []
    for bracket in jsonio.brackets_of(piece):
        if bracket in "[{":
            opened.append(bracket)
        elif opened:
            opened.pop()
        else:
            closed.append(bracket)
    return closed, opened


def _opening(bracket: str) -> str:
    return "[" if bracket == "[" else f'{{"{_STAND_IN}":'


def _to_close(brackets: list[str]) -> str:
    """A last member, because a comma came before, and the brackets closed."""
    if not brackets:
        return "0"
    last = "0" if brackets[-1] == "[" else f'"{_LAST}":0'
    return last + "".join(_CLOSER[bracket] for bracket in reversed(brackets))


def _names_of(value: Any, depth: int) -> list[set[str]]:
    """The names of each container that is open at the end of the value."""
    found: list[set[str]] = []
    for _ in range(depth):
        if isinstance(value, dict):
            found.append(value.keys() - _OURS)
            value = next(reversed(value.values()))
        else:
            found.append(set())
            value = value[-1]
    return found
