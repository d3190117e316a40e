"""Expressions of ours, on their way into a template."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workflows.integrations.n8n.js_tree import NotRead

Key = str | int
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "true", "false"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression of ours. `kind` is `path` (it may lead nowhere), `text`, `number`,
    `bool` or `any`; an `atom` needs no brackets within another."""

    source: str
    kind: str = "any"
    atom: bool = False

    @property
    def operand(self) -> str:
        return self.source if self.atom else f"({self.source})"

    @property
    def lenient(self) -> str:
        """None where the path leads nowhere, as JavaScript's undefined."""
        return (
            f"({self.source} | default(none))" if self.kind == "path" else self.operand
        )


def quoted(text: str) -> str:
    """The text as a literal of our expressions."""
    plain = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    plain = plain.replace("\r", "\\r").replace("\t", "\\t")
    plain = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", plain)
    return f"'{plain}'"


def with_path(root: str, path: Sequence[Key]) -> str:
    """`steps.tell.body["a b"][0]`."""
    written = root
    for key in path:
        if isinstance(key, int):
            written += f"[{key}]"
        elif _PLAIN.fullmatch(key) and key.lower() not in _WORDS:
            written += f".{key}"
        else:
            written += f"[{quoted(key)}]"
    return written


def literal(value: Any) -> Expr:
    """A constant; also of lists and objects."""
    if isinstance(value, str):
        return Expr(quoted(value), "text", atom=True)
    if value is None:
        return Expr("none", atom=True)
    if isinstance(value, bool):
        return Expr("true" if value else "false", "bool", atom=True)
    if isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            raise NotRead("a number is too large")
        return Expr(repr(value), "number", atom=True)
    if isinstance(value, list):
        return Expr(f"[{', '.join(literal(v).source for v in value)}]", atom=True)
    if isinstance(value, dict):
        pairs = (f"{quoted(k)}: {literal(v).source}" for k, v in value.items())
        return Expr(f"{{{', '.join(pairs)}}}", atom=True)
    raise NotRead("a value that JSON does not have")
