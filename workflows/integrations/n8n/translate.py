"""From n8n's JavaScript to our expressions, as far as they mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workflows.integrations.n8n.arrows import each
from workflows.integrations.n8n.expr import Expr, literal, quoted, with_path
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
from workflows.integrations.n8n.methods import FUNCTIONS, METHODS, literally
from workflows.integrations.n8n.roots import Roots, Scope, Step, flat, is_call


class Translator:
    """Translates the expressions of one node; `notes` collects what differs."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.notes: list[str] = []
        self.roots = Roots(scope, self.note)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def expression(self, tree: Any) -> Expr:
        """Raises NotRead for what has no counterpart."""
        match tree:
            case Const(value):
                return literal(value)
            case Member() | Call() | Name():
                return self._chain(tree)
            case Unary(sign, value):
                return self._unary(sign, value)
            case Binary(sign, left, right):
                return self._binary(sign, left, right)
            case Choice(test, yes, no):
                chosen = (self.expression(part) for part in (yes, no))
                first, second = chosen
                test = self.expression(test).lenient
                return Expr(f"{first.operand} if {test} else {second.operand}")
            case Items(items):
                inner = ", ".join(self.expression(item).source for item in items)
                return Expr(f"[{inner}]", atom=True)
            case Pairs(pairs):
                inner = ", ".join(
                    f"{quoted(key)}: {self.expression(item).source}"
                    for key, item in pairs
                )
                return Expr(f"{{{inner}}}", atom=True)
            case Text(parts):
                return self.joined([self.expression(part) for part in parts])
        raise NotRead("it is not understood")

    def joined(self, parts: Sequence[Expr]) -> Expr:
        """All of them as one text."""
        if not parts:
            return Expr("''", "text", atom=True)
        if len(parts) == 1:
            return Expr(f"{parts[0].operand} | string", "text")
        return Expr(" ~ ".join(part.operand for part in parts), "text")

    def _unary(self, sign: str, value: Any) -> Expr:
        inner = self.expression(value)
        if sign == "!":
            return Expr(f"not {inner.lenient}", "bool")
        if sign == "-":
            return Expr(f"-{inner.operand}", "number")
        return Expr(f"{inner.operand} | float", "number")

    def _binary(self, sign: str, left: Any, right: Any) -> Expr:
        one, two = self.expression(left), self.expression(right)
        if sign == "||":
            return Expr(f"{one.lenient} or {two.operand}")
        if sign == "&&":
            return Expr(f"{one.lenient} and {two.lenient}")
        if sign == "??":
            none = f"{one.lenient} is not none"
            return Expr(f"{one.operand} if {none} else {two.operand}")
        if sign in ("===", "==", "!==", "!="):
            if sign in ("==", "!=") and {one.kind, two.kind} == {"text", "number"}:
                raise NotRead("== of a text and a number")
            return Expr(f"{one.lenient} {sign[:2]} {two.lenient}", "bool")
        if sign == "+":
            if "text" in (one.kind, two.kind):
                return Expr(f"{one.operand} ~ {two.operand}", "text")
            if "number" not in (one.kind, two.kind):
                raise NotRead("+ of values that may be texts or numbers")
            return Expr(f"{one.operand} + {two.operand}", "number")
        kind = "bool" if sign[0] in "<>" else "number"
        return Expr(f"{one.operand} {sign} {two.operand}", kind)

    def _chain(self, tree: Any) -> Expr:
        root, steps = flat(tree)
        if isinstance(root, Name):
            found = self.roots.read(root.name, steps)
            if found is not None:
                start, rest = found
                return self._follow(start, rest)
            return self._function(root.name, steps)
        return self._follow(self.expression(root), steps)

    def _follow(self, value: Expr, steps: list[Step]) -> Expr:
        """Keys and methods behind a value."""
        while steps:
            kind, key, _ = steps[0]
            if kind == "call":
                raise NotRead("a call of what is no known method")
            name = key.value if isinstance(key, Const) else None
            if len(steps) > 1 and is_call(steps[1]):
                value, steps = self._called(value, str(name), steps[1][1]), steps[2:]
            elif name == "length":
                value, steps = Expr(f"{value.operand} | length", "number"), steps[1:]
            elif isinstance(name, str | int) and not isinstance(name, bool):
                source = with_path(value.operand, [name])
                value, steps = Expr(source, "path", atom=True), steps[1:]
            else:
                computed = self.expression(key).source
                source = f"{value.operand}[{computed}]"
                value, steps = Expr(source, "path", atom=True), steps[1:]
        return value

    def _called(self, value: Expr, name: str, args: tuple[Any, ...]) -> Expr:
        """A method's result."""
        if len(args) == 1 and isinstance(args[0], Arrow):
            return each(value, name, args[0], self.expression)
        if name in ("replace", "replaceAll") and args and isinstance(args[0], Regex):
            args = (Const(literally(args[0])), *args[1:])
            name = "replaceAll"
        elif name == "replace":
            self.note("replace() replaces all that it finds, in n8n the first")
            name = "replaceAll"
        method = METHODS.get(name)
        if method is None:
            raise NotRead(f".{name}() has no counterpart here")
        return method(value, [self.expression(arg) for arg in args])

    def _function(self, name: str, steps: list[Step]) -> Expr:
        if name in ("JSON", "Object", "Array", "Math") and len(steps) > 1:
            key, called = steps[0], steps[1]
            full = f"{name}.{key[1].value}" if isinstance(key[1], Const) else name
            rest = steps[2:]
        else:
            full, rest = name, steps[1:]
            called = steps[0] if steps else ("", (), False)
        function = FUNCTIONS.get(full)
        if function is None or not is_call(called) or len(called[1]) != 1:
            raise NotRead(f"{full} has no counterpart here")
        return self._follow(function(self.expression(called[1][0])), rest)
