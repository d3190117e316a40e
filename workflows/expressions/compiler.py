"""From Jinja's syntax tree to functions of ours.

Only Jinja's lexer and parser are used; none of its generated code ever runs. What
is not written here does not exist in the language: no calls, no attributes of
Python objects, no names but the roots and the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from jinja2 import nodes

from workflows.expressions import combining, names, operators, paths, source, values
from workflows.expressions.calls import filter_call, test_call
from workflows.expressions.errors import RenderError, TemplateError
from workflows.expressions.evaluation import Evaluator
from workflows.expressions.secrecy import check_secrets
from workflows.expressions.tree import is_path, parse_tree

ROOTS = ("trigger", "steps", "variables", "run", "item", "index", "secrets")
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Call: "calls are not part of the language; filters are: {{ x | length }}",
    nodes.Pow: "** is not part of the language",
}


def compile_expression(
    text: str, known_names: Collection[str]
) -> tuple[Evaluator, frozenset[tuple[str, ...]], bool]:
    """What evaluates the text; the static paths it names; whether it is but a path.

    `known_names` are step ids. Raises TemplateError.
    """
    source.check(text)
    written, words = source.replace_names(text, source.hyphenated(known_names))
    try:
        tree = parse_tree(written)
        compiler = _Compiler(text, known_names, words)
        evaluate = compiler.expression(tree)
        if "secrets" in written:
            check_secrets(tree)
    except TemplateError as error:
        for word, name in words.items():
            error.message = error.message.replace(word, name)
        raise
    return evaluate, frozenset(compiler.references), is_path(tree)


class _Compiler:
    """Compiles one tree, and notes the paths that it names."""

    def __init__(
        self, text: str, known_names: Collection[str], words: dict[str, str]
    ) -> None:
        self.references: set[tuple[str, ...]] = set()
        self._text = text
        self._known_names = known_names
        self._words = words

    def expression(self, node: nodes.Node) -> Evaluator:
        """The function for a node; raises TemplateError for what is not allowed."""
        compile_node = NODES.get(type(node))
        if compile_node is None:
            kind = type(node).__name__
            raise TemplateError(
                _REFUSED.get(type(node), f"{kind} is not part of the language")
            )
        return compile_node(self, node)

    def all(self, children: Sequence[nodes.Node]) -> list[Evaluator]:
        """The functions for several nodes, in order."""
        return [self.expression(child) for child in children]

    def constant(self, node: nodes.Const) -> Evaluator:
        """A literal."""
        value = node.value
        if values.is_number(value):
            try:
                values.number_result(value)
            except RenderError as error:
                raise TemplateError(error.message) from None
        return lambda _evaluation: value

    def sequence(self, node: nodes.List | nodes.Tuple) -> Evaluator:
        """A list literal; parentheses with commas make a list as well."""
        return combining.sequence(self.all(node.items))

    def mapping(self, node: nodes.Dict) -> Evaluator:
        """A mapping literal, whose keys are constant strings."""
        pairs: list[tuple[str, Evaluator]] = []
        for pair in node.items:
            if not isinstance(pair.key, nodes.Const) or not isinstance(
                pair.key.value, str
            ):
                raise TemplateError("a mapping's keys are strings in quotes")
            pairs.append((pair.key.value, self.expression(pair.value)))
        return combining.mapping(pairs)

    def path(self, node: nodes.Name | nodes.Getattr | nodes.Getitem) -> Evaluator:
        """A name, with the keys and indexes behind it."""
        steps: list[nodes.Getattr | nodes.Getitem] = []
        base: nodes.Node = node
        while isinstance(base, nodes.Getattr | nodes.Getitem):
            if isinstance(base, nodes.Getitem) and isinstance(base.arg, nodes.Slice):
                break
            steps.append(base)
            base = base.node
        steps.reverse()
        keys = [self._key(step) for step in steps]
        if isinstance(base, nodes.Name):
            name = self._words.get(base.name, base.name)
            if name == "null" and not keys and name not in self._known_names:
                return combining.nothing
            root = names.root_path(name, self._known_names, self._text)
            self._refer([*root, *keys])
            if all(isinstance(key, str | int) for key in keys):
                return paths.static_path([*root, *keys])  # type: ignore[list-item]
            return paths.computed_path(paths.static_path(root), root, keys)
        if isinstance(base, nodes.Getitem):
            target = self._slice(base)
        else:
            target = self.expression(base)
        return paths.computed_path(target, ["(...)"], keys) if keys else target

    def _key(self, step: nodes.Getattr | nodes.Getitem) -> str | int | Evaluator:
        if isinstance(step, nodes.Getattr):
            return self._words.get(step.attr, step.attr)
        key = names.constant_key(step.arg)
        return self.expression(step.arg) if key is None else key

    def _refer(self, keys: Sequence[str | int | Evaluator]) -> None:
        static: list[str] = []
        for key in keys:
            if not isinstance(key, str):
                break
            static.append(key)
        self.references.add(tuple(static))

    def _slice(self, node: nodes.Getitem) -> Evaluator:
        cut = node.arg
        assert isinstance(cut, nodes.Slice)  # noqa: S101 - the caller looked
        if cut.step is not None:
            raise TemplateError("a slice has no step: [start:stop]")
        target = self.expression(node.node)
        start = self.expression(cut.start) if cut.start else combining.nothing
        stop = self.expression(cut.stop) if cut.stop else combining.nothing
        return combining.sliced(target, start, stop)

    def arithmetic(self, node: nodes.BinExpr) -> Evaluator:
        """One of + - * / // %."""
        left, right = self.expression(node.left), self.expression(node.right)
        return combining.arithmetic(node.operator, left, right)

    def signed(self, node: nodes.UnaryExpr) -> Evaluator:
        """A number with a sign before it."""
        return combining.signed(node.operator, self.expression(node.node))

    def concatenation(self, node: nodes.Concat) -> Evaluator:
        """Values joined as text by ~."""
        return combining.joined(self.all(node.nodes))

    def both(self, node: nodes.And) -> Evaluator:
        """`a and b`."""
        return combining.both(self.expression(node.left), self.expression(node.right))

    def either(self, node: nodes.Or) -> Evaluator:
        """`a or b`."""
        return combining.either(self.expression(node.left), self.expression(node.right))

    def negation(self, node: nodes.Not) -> Evaluator:
        """`not a`."""
        return combining.negation(self.expression(node.node))

    def choice(self, node: nodes.CondExpr) -> Evaluator:
        """`a if test else b`; without else it is none."""
        test, then = self.expression(node.test), self.expression(node.expr1)
        other = self.expression(node.expr2) if node.expr2 else combining.nothing
        return combining.choice(test, then, other)

    def comparison(self, node: nodes.Compare) -> Evaluator:
        """A comparison, or a chain of them: 0 < x < 10."""
        first = self.expression(node.expr)
        rest = [
            (operators.COMPARISONS[operand.op], self.expression(operand.expr))
            for operand in node.ops
        ]
        return combining.comparison(first, rest)

    def filtered(self, node: nodes.Filter) -> Evaluator:
        """A value through a filter; `default` also takes a path that leads nowhere."""
        arguments, named = self._arguments(node)
        assert node.node is not None  # noqa: S101 - only filter blocks have none
        operand = self.expression(node.node)
        if node.name in ("default", "d"):
            operand = combining.or_missing(operand)
        return filter_call(node.name, operand, arguments, named)

    def test(self, node: nodes.Test) -> Evaluator:
        """Whether something is so; `defined` also takes paths that lead nowhere."""
        arguments, named = self._arguments(node)
        operand = self.expression(node.node)
        if node.name in ("defined", "undefined"):
            operand = combining.or_missing(operand)
        return test_call(node.name, operand, arguments, named)

    def _arguments(
        self, node: nodes.Filter | nodes.Test
    ) -> tuple[list[Evaluator], dict[str, Evaluator]]:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateError("* and ** are not part of the language")
        named: dict[str, Evaluator] = {}
        for word in node.kwargs:
            assert isinstance(word, nodes.Keyword)  # noqa: S101 - Jinja's types say Pair
            named[word.key] = self.expression(word.value)
        return self.all(node.args), named


NODES: dict[type[nodes.Node], Callable[[_Compiler, Any], Evaluator]] = {
    nodes.Const: _Compiler.constant,
    nodes.List: _Compiler.sequence,
    nodes.Tuple: _Compiler.sequence,
    nodes.Dict: _Compiler.mapping,
    nodes.Name: _Compiler.path,
    nodes.Getattr: _Compiler.path,
    nodes.Getitem: _Compiler.path,
    nodes.Add: _Compiler.arithmetic,
    nodes.Sub: _Compiler.arithmetic,
    nodes.Mul: _Compiler.arithmetic,
    nodes.Div: _Compiler.arithmetic,
    nodes.FloorDiv: _Compiler.arithmetic,
    nodes.Mod: _Compiler.arithmetic,
    nodes.Neg: _Compiler.signed,
    nodes.Pos: _Compiler.signed,
    nodes.Concat: _Compiler.concatenation,
    nodes.And: _Compiler.both,
    nodes.Or: _Compiler.either,
    nodes.Not: _Compiler.negation,
    nodes.CondExpr: _Compiler.choice,
    nodes.Compare: _Compiler.comparison,
    nodes.Filter: _Compiler.filtered,
    nodes.Test: _Compiler.test,
}
