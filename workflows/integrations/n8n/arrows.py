"""`list.map(x => x.a)` and the like, as filters over a list's attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workflows.integrations.n8n.expr import Expr, quoted
from workflows.integrations.n8n.js_tree import (
    Arrow,
    Binary,
    Const,
    Member,
    Name,
    NotRead,
    Unary,
)

_SIGNS = {"===": "==", "==": "==", "!==": "!=", "!=": "!=", ">": ">", "<": "<",
          ">=": ">=", "<=": "<="}  # fmt: skip


def each(
    value: Expr, method: str, arrow: Arrow, translated: Callable[[Any], Expr]
) -> Expr:
    """What a method gives that takes a function; raises NotRead."""
    if method == "map":
        attribute = quoted(_path(arrow.body, arrow.name))
        return Expr(f"{value.operand} | map(attribute={attribute}, default=none)")
    chosen = f"{value.operand} | {_chosen(arrow, translated)}"
    match method:
        case "filter":
            return Expr(chosen)
        case "find":
            return Expr(f"{chosen} | first | default(none)")
        case "some":
            return Expr(f"({chosen} | length) > 0", "bool")
    raise NotRead(f".{method}() of a function has no counterpart here")


def _chosen(arrow: Arrow, translated: Callable[[Any], Expr]) -> str:
    body = arrow.body
    if isinstance(body, Binary) and body.sign in _SIGNS:
        attribute = quoted(_path(body.left, arrow.name))
        if arrow.name in _names(body.right):
            raise NotRead("a function that compares an item with itself")
        other = translated(body.right).source
        return f"selectattr({attribute}, {quoted(_SIGNS[body.sign])}, {other})"
    return f"selectattr({quoted(_path(body, arrow.name))})"


def _path(tree: Any, name: str) -> str:
    """`a.b` of `x => x.a.b`."""
    keys: list[str] = []
    while isinstance(tree, Member) and isinstance(tree.key, Const):
        key = tree.key.value
        if not isinstance(key, str) or "." in key or not key or key == "length":
            break
        keys.append(key)
        tree = tree.of
    if tree != Name(name) or not keys:
        raise NotRead("a function that is more than a path")
    return ".".join(reversed(keys))


def _names(tree: Any) -> set[str]:
    if isinstance(tree, Name):
        return {tree.name}
    if isinstance(tree, Member):
        return _names(tree.of) | _names(tree.key)
    if isinstance(tree, Unary):
        return _names(tree.value)
    return set() if isinstance(tree, Const) else {"?"}
