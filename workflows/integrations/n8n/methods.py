"""JavaScript's methods and functions that are filters of ours."""

from __future__ import annotations

import re
from collections.abc import Callable

from workflows.integrations.n8n.expr import Expr
from workflows.integrations.n8n.js_tree import NotRead, Regex

Method = Callable[[Expr, list[Expr]], Expr]


def _filter(name: str, kind: str = "any", arguments: int = 0) -> Method:
    """A method that is a filter of ours, with as many arguments."""

    def apply(value: Expr, args: list[Expr]) -> Expr:
        if len(args) != arguments:
            raise NotRead(f"{name} with {len(args)} arguments")
        inside = ", ".join(arg.source for arg in args)
        call = f"({inside})" if args else ""
        return Expr(f"{value.operand} | {name}{call}", kind)

    return apply


def _includes(value: Expr, args: list[Expr]) -> Expr:
    if len(args) != 1:
        raise NotRead("includes with a position")
    return Expr(f"{args[0].operand} in {value.operand}", "bool")


def starts_with(value: Expr, args: list[Expr]) -> Expr:
    if len(args) != 1:
        raise NotRead("startsWith with a position")
    text = args[0].operand
    return Expr(f"{value.operand}[:{text} | length] == {text}", "bool")


def ends_with(value: Expr, args: list[Expr]) -> Expr:
    """`x[-0:]` would be all of it: an empty ending is asked for by itself."""
    if len(args) != 1:
        raise NotRead("endsWith with a position")
    text = args[0].operand
    tail = f"{value.operand}[-({text} | length):] == {text}"
    return Expr(f"({text} == '') or ({tail})", "bool")


def _slice(value: Expr, args: list[Expr]) -> Expr:
    if not 1 <= len(args) <= 2:
        raise NotRead("slice without a start")
    stop = args[1].source if len(args) == 2 else ""
    return Expr(f"{value.operand}[{args[0].source}:{stop}]")


def _whole(args: list[Expr]) -> list[int]:
    if not all(arg.source.isdigit() for arg in args):
        raise NotRead("a place in a text that is computed, or counted from its end")
    return [int(arg.source) for arg in args]


def _substring(value: Expr, args: list[Expr]) -> Expr:
    places = _whole(args)
    if not 1 <= len(places) <= 2:
        raise NotRead("substring without a start")
    first, last = min(places), max(places) if len(places) == 2 else ""
    return Expr(f"{value.operand}[{first}:{last}]", "text")


def _substr(value: Expr, args: list[Expr]) -> Expr:
    places = _whole(args)
    if not 1 <= len(places) <= 2:
        raise NotRead("substr without a start")
    stop = sum(places) if len(places) == 2 else ""
    return Expr(f"{value.operand}[{places[0]}:{stop}]", "text")


def _has(value: Expr, args: list[Expr]) -> Expr:
    if len(args) != 1:
        raise NotRead("hasOwnProperty without a name")
    return Expr(f"{args[0].operand} in {value.operand}", "bool")


def _empty(sign: str) -> Method:
    def apply(value: Expr, args: list[Expr]) -> Expr:
        if args:
            raise NotRead("isEmpty with arguments")
        source = f"({value.source} | default('', true) | length) {sign} 0"
        return Expr(source, "bool")

    return apply


def literally(regex: Regex) -> str:
    """The text that a regular expression finds everywhere; raises NotRead."""
    if regex.flags != "g":
        raise NotRead("a regular expression: there are none here")
    found = ""
    for piece in _LITERAL.finditer(regex.body):
        if piece[2] is not None:
            raise NotRead("a regular expression: there are none here")
        known = {"n": "\n", "t": "\t", "r": "\r"}
        if piece[1] is not None and piece[1].isalnum() and piece[1] not in known:
            raise NotRead("a regular expression: there are none here")
        found += piece[0] if piece[1] is None else known.get(piece[1], piece[1])
    return found


_LITERAL = re.compile(r"\\(.)|([.*+?^${}()|\[\]])|[^\\]", re.DOTALL)
METHODS: dict[str, Method] = {
    "toString": _filter("string", "text"),
    "toLowerCase": _filter("lower", "text"),
    "toUpperCase": _filter("upper", "text"),
    "trim": _filter("trim", "text"),
    "toNumber": _filter("float", "number"),
    "toInt": _filter("int", "number"),
    "toFloat": _filter("float", "number"),
    "toBoolean": _filter("bool", "bool"),
    "toJsonString": _filter("json", "text"),
    "parseJson": _filter("from_json"),
    "urlEncode": _filter("urlencode", "text"),
    "base64Encode": _filter("b64encode", "text"),
    "base64Decode": _filter("b64decode", "text"),
    "first": _filter("first"),
    "last": _filter("last"),
    "unique": _filter("unique"),
    "removeDuplicates": _filter("unique"),
    "sum": _filter("sum", "number"),
    "max": _filter("max", "number"),
    "min": _filter("min", "number"),
    "keys": _filter("keys"),
    "values": _filter("values"),
    "join": _filter("join", "text", 1),
    "split": _filter("split", "any", 1),
    "replaceAll": _filter("replace", "text", 2),
    "toLocaleLowerCase": _filter("lower", "text"),
    "toLocaleUpperCase": _filter("upper", "text"),
    "reverse": _filter("reverse"),
    "flat": _filter("flatten"),
    "hasOwnProperty": _has,
    "isEmpty": _empty("=="),
    "isNotEmpty": _empty("!="),
    "substring": _substring,
    "substr": _substr,
    "includes": _includes,
    "startsWith": starts_with,
    "endsWith": ends_with,
    "slice": _slice,
}
FUNCTIONS: dict[str, Callable[[Expr], Expr]] = {
    "String": lambda value: Expr(f"{value.operand} | string", "text"),
    "Number": lambda value: Expr(f"{value.operand} | float", "number"),
    "parseFloat": lambda value: Expr(f"{value.operand} | float", "number"),
    "parseInt": lambda value: Expr(f"{value.operand} | int", "number"),
    "Boolean": lambda value: Expr(f"not not {value.lenient}", "bool"),
    "encodeURIComponent": lambda value: Expr(f"{value.operand} | urlencode", "text"),
    "JSON.stringify": lambda value: Expr(f"{value.operand} | json", "text"),
    "JSON.parse": lambda value: Expr(f"{value.operand} | from_json"),
    "Object.keys": lambda value: Expr(f"{value.operand} | keys"),
    "Object.values": lambda value: Expr(f"{value.operand} | values"),
    "Object.entries": lambda value: Expr(f"{value.operand} | items"),
    "Array.isArray": lambda value: Expr(f"{value.lenient} is sequence", "bool"),
    "Math.abs": lambda value: Expr(f"{value.operand} | abs", "number"),
}
