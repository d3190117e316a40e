"""What may be done with a secret in an expression: what redaction finds again.

History hides secrets by their value, as it is or in one encoding. Whatever else were
made of one, such as its capitals, its half or its digest, would be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, NoReturn

from jinja2 import nodes

from workflows.expressions.errors import TemplateError


class Form(IntEnum):
    """How secrets stand in a value: whole, as parts of a tree, or encoded once."""

    NONE = 0
    WHOLE = 1
    TREE = 2
    ENCODED = 3


# What each filter takes, and what it gives. Only `default` may hold one in brackets.
FILTERS: dict[str, dict[Form, Form]] = {
    "b64encode": {Form.WHOLE: Form.ENCODED},
    "json": {Form.WHOLE: Form.ENCODED, Form.TREE: Form.ENCODED},
    "urlencode": {Form.WHOLE: Form.ENCODED, Form.TREE: Form.ENCODED},
    "trim": {Form.WHOLE: Form.WHOLE},
}
DEFAULT = ("default", "d")
ALLOWED = ", ".join(("default", *sorted(FILTERS)))


def check_secrets(tree: nodes.Node) -> Form:
    """How secrets stand in the result; raises TemplateError for what would show one."""
    look = _LOOKS.get(type(tree))
    return look(tree) if look else _without(tree, "in a calculation")


def _forms(parts: Iterable[nodes.Node]) -> Form:
    return max((check_secrets(part) for part in parts), default=Form.NONE)


def _text(parts: Iterable[nodes.Node]) -> Form:
    """Values joined as text: a tree among them becomes JSON."""
    form = _forms(parts)
    return Form.ENCODED if form == Form.TREE else form


def _tree(items: Iterable[nodes.Node]) -> Form:
    form = _forms(items)
    return Form.TREE if form == Form.WHOLE else form


def _member(node: nodes.Getattr | nodes.Getitem) -> Form:
    if isinstance(node, nodes.Getitem):
        _without(node.arg, "as a key")
    if isinstance(node.node, nodes.Name) and node.node.name == "secrets":
        return Form.WHOLE
    return _without(node.node, "with a key or an index behind it")


def _filtered(node: nodes.Filter) -> Form:
    assert node.node is not None  # noqa: S101 - only filter blocks have none
    form = check_secrets(node.node)
    given = [*node.args, *(word.value for word in node.kwargs)]
    if node.name in DEFAULT:
        return max(form, _forms(given))
    for argument in given:
        _without(argument, f'in the brackets of "{node.name}"')
    if form == Form.NONE:
        return form
    takes = FILTERS.get(node.name, {})
    if form not in takes or (node.name == "trim" and given):
        _refuse(f'through "{node.name}"')
    return takes[form]


def _without(node: nodes.Node, where: str) -> Form:
    """Nothing in this node may be made of a secret."""
    if isinstance(node, nodes.Name) and node.name == "secrets":
        _refuse(where)
    if _forms(node.iter_child_nodes()):
        _refuse(where)
    return Form.NONE


def _refuse(where: str) -> NoReturn:
    raise TemplateError(
        f"a secret cannot be used {where}: history could not hide what becomes of it. "
        f"Join it with ~, or use it with {ALLOWED}; encode it once"
    )


def _name(node: nodes.Name) -> Form:
    return Form.WHOLE if node.name == "secrets" else Form.NONE


def _sum(node: nodes.Add) -> Form:
    form = _forms((node.left, node.right))
    return form if form == Form.TREE else _text((node.left, node.right))


def _truth(node: nodes.Node) -> Form:
    """Whether a secret is there tells nothing of it."""
    _forms(node.iter_child_nodes())
    return Form.NONE


def _choice(node: nodes.CondExpr) -> Form:
    check_secrets(node.test)
    branches = (node.expr1, node.expr2)
    return _forms(branch for branch in branches if branch is not None)


def _test(node: nodes.Test) -> Form:
    if node.name in ("defined", "undefined"):
        return _truth(node)
    return _without(node, f'in the test "{node.name}"')


_LOOKS: dict[type[nodes.Node], Callable[[Any], Form]] = {
    nodes.Name: _name,
    nodes.Getattr: _member,
    nodes.Getitem: _member,
    nodes.Concat: lambda node: _text(node.nodes),
    nodes.Add: _sum,
    nodes.List: lambda node: _tree(node.items),
    nodes.Tuple: lambda node: _tree(node.items),
    nodes.Dict: lambda node: _tree(pair.value for pair in node.items),
    nodes.And: lambda node: _forms((node.left, node.right)),
    nodes.Or: lambda node: _forms((node.left, node.right)),
    nodes.Not: _truth,
    nodes.CondExpr: _choice,
    nodes.Compare: lambda node: _without(node, "in a comparison"),
    nodes.Filter: _filtered,
    nodes.Test: _test,
}
