"""The part of JavaScript that stands in most of n8n's expressions, as a tree.

Paths, literals, operators, calls, functions like `x => x.a`, `new Date`; no statements.
"""

from __future__ import annotations

import re
from typing import Any

from workflows.integrations.n8n.js_tree import (
    Arrow,
    Binary,
    Call,
    Choice,
    Const,
    Items,
    Member,
    Name,
    NotRead,
    Pairs,
    Regex,
    Text,
    Unary,
)

MAX_SOURCE = 4_000
MAX_DEPTH = 40


_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<string>'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<template>`(?:[^`\\]|\\.)*`)"
    r"|(?P<name>[A-Za-z_$][\w$]*)"
    r"|(?P<sign>\?\.|\?\?|===|!==|==|!=|<=|>=|&&|\|\||=>|\.\.\.|\+\+|--"
    r"|[-+*/%<>!?:.,()\[\]{};=&|^~])",
    re.DOTALL,
)
_REGEX = re.compile(r"(?P<regex>/(?![*/])(?:[^/\\\n\[]|\\.|\[[^\]\n]*\])+/[a-z]*)")
_BEFORE_REGEX = frozenset("(,=:[!&|?{};")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\n": ""}
_ESCAPE = re.compile(
    r"\\(u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.S
)
_CONSTANTS = {"true": True, "false": False, "null": None, "undefined": None}
_WORDS = frozenset(
    {"new", "function", "return", "if", "else", "for", "while", "do", "var", "let"}
    | {"const", "class", "typeof", "delete", "void", "in", "instanceof", "this"}
    | {"throw", "try", "catch", "switch", "case", "async", "await", "yield", "import"}
)
_LEVELS = {
    "||": 1,
    "??": 1,
    "&&": 2,
    **dict.fromkeys(("===", "!==", "==", "!="), 3),
    **dict.fromkeys(("<", "<=", ">", ">="), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%"), 6),
}


def parse(source: str) -> Any:
    """The tree of an expression; raises NotRead."""
    if len(source) > MAX_SOURCE:
        raise NotRead(f"it has more than {MAX_SOURCE:,} characters")
    parser = _Parser(_tokens(source))
    tree = parser.choice(0)
    while parser.at(";"):
        parser.next()
    if parser.position < len(parser.tokens):
        raise NotRead(f'"{parser.tokens[parser.position][1][:20]}" is not understood')
    return tree


def _tokens(source: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(source):
        match = None
        if source[position] == "/" and (not found or found[-1][1] in _BEFORE_REGEX):
            match = _REGEX.match(source, position)
        match = match or _TOKEN.match(source, position)
        if match is None:
            raise NotRead(f'"{source[position : position + 20]}" is not understood')
        position = match.end()
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match[0]))
    return found


class _Parser:
    """Precedence climbing over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.position = 0

    def at(self, sign: str) -> bool:
        here = self.tokens[self.position : self.position + 1]
        return here == [("sign", sign)]

    def next(self) -> tuple[str, str]:
        if self.position >= len(self.tokens):
            raise NotRead("it is not complete")
        self.position += 1
        return self.tokens[self.position - 1]

    def expect(self, sign: str) -> None:
        kind, word = self.next()
        if (kind, word) != ("sign", sign):
            raise NotRead(f'"{word[:20]}" stands where "{sign}" was expected')

    def choice(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise NotRead("it is nested too deeply")
        test = self.binary(1, depth + 1)
        if not self.at("?"):
            return test
        self.next()
        yes = self.choice(depth + 1)
        self.expect(":")
        return Choice(test, yes, self.choice(depth + 1))

    def binary(self, level: int, depth: int) -> Any:
        left = self.unary(depth + 1)
        while self.position < len(self.tokens):
            kind, sign = self.tokens[self.position]
            if kind != "sign" or _LEVELS.get(sign, 0) < level:
                break
            self.next()
            left = Binary(sign, left, self.binary(_LEVELS[sign] + 1, depth + 1))
        return left

    def unary(self, depth: int) -> Any:
        if depth > 4 * MAX_DEPTH:
            raise NotRead("it is nested too deeply")
        for sign in "!-+":
            if self.at(sign):
                self.next()
                return Unary(sign, self.unary(depth + 1))
        return self.postfix(depth)

    def postfix(self, depth: int) -> Any:
        tree = self.primary(depth)
        while True:
            if self.at(".") or self.at("?."):
                maybe = self.next()[1] == "?."
                if maybe and self.at("["):
                    tree = self.index(tree, depth, maybe=True)
                    continue
                kind, name = self.next()
                if kind != "name":
                    raise NotRead(f'"{name[:20]}" stands where a name was expected')
                tree = Member(tree, Const(name), maybe)
            elif self.at("["):
                tree = self.index(tree, depth, maybe=False)
            elif self.at("("):
                self.next()
                tree = Call(tree, self.items(")", depth))
            else:
                return tree

    def index(self, of: Any, depth: int, *, maybe: bool) -> Any:
        self.expect("[")
        key = self.choice(depth + 1)
        self.expect("]")
        return Member(of, key, maybe)

    def items(self, end: str, depth: int) -> tuple[Any, ...]:
        found = []
        while not self.at(end):
            found.append(self.choice(depth + 1))
            if not self.at(end):
                self.expect(",")
        self.next()
        return tuple(found)

    def word(self, word: str) -> Any:
        """A constant, a name, or `new Date`."""
        if word in _CONSTANTS:
            return Const(_CONSTANTS[word])
        ahead = self.tokens[self.position : self.position + 1]
        if word == "new" and ahead == [("name", "Date")]:
            self.next()
            return Name("new Date")
        if word in _WORDS:
            raise NotRead(f'"{word[:20]}" is not understood')
        return Name(word)

    def arrow(self, depth: int) -> Any:
        """`x => ...` or `(x) => ...`; None for what is neither."""
        ahead = self.tokens[self.position : self.position + 4]
        words = [word for _, word in ahead]
        if words[1:2] == ["=>"] and ahead[0][0] == "name":
            name, length = words[0], 2
        elif words[:1] == ["("] and words[2:] == [")", "=>"] and ahead[1][0] == "name":
            name, length = words[1], 4
        else:
            return None
        self.position += length
        return Arrow(name, self.choice(depth + 1))

    def primary(self, depth: int) -> Any:
        if (found := self.arrow(depth)) is not None:
            return found
        kind, word = self.next()
        if kind == "regex":
            body, _, flags = word[1:].rpartition("/")
            return Regex(body, flags)
        if kind == "name":
            return self.word(word)
        if kind == "number":
            return Const(float(word) if re.search(r"[.eE]", word) else int(word))
        if kind == "string":
            return Const(_unescaped(word[1:-1]))
        if kind == "template":
            return self.template(word[1:-1])
        if word == "(":
            tree = self.choice(depth + 1)
            self.expect(")")
            return tree
        if word == "[":
            return Items(self.items("]", depth))
        if word == "{":
            return Pairs(self.pairs(depth))
        raise NotRead(f'"{word[:20]}" is not understood')

    def pairs(self, depth: int) -> tuple[tuple[str, Any], ...]:
        found = []
        while not self.at("}"):
            kind, word = self.next()
            if kind not in ("name", "string", "number"):
                raise NotRead(f'"{word[:20]}" is no key')
            key = _unescaped(word[1:-1]) if kind == "string" else word
            self.expect(":")
            found.append((key, self.choice(depth + 1)))
            if not self.at("}"):
                self.expect(",")
        self.next()
        return tuple(found)

    def template(self, body: str) -> Any:
        """`${}` that holds a brace of its own is beyond what is read here."""
        parts: list[Any] = []
        for position, piece in enumerate(re.split(r"\$\{([^{}`]*)\}", body)):
            if position % 2:
                parts.append(parse(piece))
            elif "${" in piece:
                raise NotRead("a template literal within another")
            elif piece:
                parts.append(Const(_unescaped(piece)))
        return Text(tuple(parts))


def _unescaped(body: str) -> str:
    def plain(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "ux" and len(code) > 1:
            value = int(code[1:].strip("{}"), 16)
            if value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
                raise NotRead("half a character (a surrogate) in a text")
            return chr(value)
        return _ESCAPES.get(code, code)

    result = _ESCAPE.sub(plain, body)
    if "\0" in result:
        raise NotRead("a NUL in a text")
    return result
