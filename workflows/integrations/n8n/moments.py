"""The present in JavaScript and Luxon: here the time at which the run was created."""

from __future__ import annotations

import re
from typing import Any

from workflows.integrations.n8n.expr import Expr, quoted
from workflows.integrations.n8n.js_tree import Const, NotRead

NOW = Expr("run.created_at", "text", atom=True)
SAID = "the present is the time at which the run was created, in UTC"
# Luxon's letters and strftime's, https://moment.github.io/luxon/#/formatting
_LETTERS = {
    "yyyy": "%Y", "yy": "%y", "MM": "%m", "LL": "%m", "dd": "%d", "d": "%e",
    "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S", "a": "%p", "EEEE": "%A",
    "cccc": "%A", "EEE": "%a", "ccc": "%a", "MMMM": "%B", "LLLL": "%B", "MMM": "%b",
    "LLL": "%b", "ZZ": "%:z", "ZZZ": "%z", "ooo": "%j", "X": "%s",
}  # fmt: skip
_PIECE = re.compile(r"'([^']*)'|([A-Za-z])\2*|[^A-Za-z']+")
_SECONDS = Expr("run.created_at | date_format('%s') | int", "number")
_MILLISECONDS = Expr("(run.created_at | date_format('%s') | int) * 1000", "number")
_TEXTS = frozenset({"toISO", "toISOString", "toJSON", "toString"})


def moment(method: str, args: tuple[Any, ...]) -> Expr:
    """What a method of the present gives; raises NotRead."""
    if method in _TEXTS:
        return NOW
    if method in ("toMillis", "getTime", "valueOf", "now"):
        return _MILLISECONDS
    if method in ("toSeconds", "toUnixInteger"):
        return _SECONDS
    if method == "getFullYear":
        return Expr("run.created_at | date_format('%Y') | int", "number")
    if method == "toISODate":
        return _written("%Y-%m-%d")
    if method in ("format", "toFormat"):
        if len(args) != 1 or not isinstance(args[0], Const):
            raise NotRead("a form of the date that is computed")
        return _written(_form(str(args[0].value)))
    raise NotRead(f".{method}() of a time has no counterpart here")


def _written(form: str) -> Expr:
    return Expr(f"run.created_at | date_format({quoted(form)})", "text")


def _form(luxon: str) -> str:
    found, position = "", 0
    for piece in _PIECE.finditer(luxon):
        if piece.start() != position:
            break
        position = piece.end()
        if piece[1] is not None:
            found += piece[1].replace("%", "%%")
        elif piece[2] is None:
            found += piece[0].replace("%", "%%")
        elif piece[0] in _LETTERS:
            found += _LETTERS[piece[0]]
        else:
            raise NotRead(f'"{piece[0][:10]}" in the form of a date')
    if position != len(luxon):
        raise NotRead("the form of a date")
    return found
