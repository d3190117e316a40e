"""Jinja's lexer and parser, held to what the compiler can take."""

from __future__ import annotations

import re

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from workflows.expressions.errors import TemplateError

MAX_DEPTH = 64

_SURROGATE = re.compile("[\ud800-\udfff]")

_ENVIRONMENT = Environment()  # noqa: S701 - only its parser is used, nothing renders


def parse_tree(text: str) -> nodes.Expr:
    """The syntax tree of an expression; raises TemplateError."""
    try:
        parser = Parser(_ENVIRONMENT, text, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            extra = parser.stream.current
            raise TemplateError(f"'{extra.value}' is not expected here")
    except TemplateSyntaxError as error:
        raise TemplateError(str(error.message)) from None
    except RecursionError:
        raise TemplateError("the expression is nested too deeply") from None
    _check(tree)
    return tree


def _check(tree: nodes.Node) -> None:
    """Hold the depth within bounds, and every string to whole characters."""
    level: list[nodes.Node] = [tree]
    for _ in range(MAX_DEPTH):
        for node in level:
            if isinstance(node, nodes.Const) and isinstance(node.value, str):
                node.value = _whole(node.value)
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return
    raise TemplateError("the expression is nested too deeply")


def _whole(text: str) -> str:
    """The text with escaped surrogate pairs, as JSON writes them, made characters."""
    if not _SURROGATE.search(text):
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise TemplateError("half a surrogate pair is not a character") from None


def is_path(tree: nodes.Node) -> bool:
    """Whether the expression only points at something that is there already."""
    while isinstance(tree, nodes.Getattr) or (
        isinstance(tree, nodes.Getitem) and not isinstance(tree.arg, nodes.Slice)
    ):
        tree = tree.node
    return isinstance(tree, nodes.Name)
