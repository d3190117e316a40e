"""Rendering of trees, the truth of conditions, and what a tree refers to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from workflows.expressions.conditions import Keys, condition_places, replaced
from workflows.expressions.errors import ExpressionError, RenderError, TemplateError
from workflows.expressions.evaluation import DEFAULT_LIMITS, Evaluation, Limits
from workflows.expressions.source import is_template
from workflows.expressions.template import Template, parse, parse_condition
from workflows.expressions.values import equal, text_of, truth_of

_MAX_TREE = 100


def render(
    value: Any,
    scope: Mapping[str, Any],
    limits: Limits = DEFAULT_LIMITS,
    *,
    known_names: Collection[str] = (),
    conditions: Collection[str] = (),
) -> Any:
    """The tree with every template in it evaluated; keys of mappings are text.

    At the places of `conditions` (see `condition_places`) stands their truth.

    What a template evaluates to is never evaluated again. Parts without templates,
    and values passed on whole, are shared with the arguments: treat them as
    read-only. `known_names` are the step ids; a caller who keeps them in one
    frozenset saves time. Raises TemplateError and RenderError, whose `path` is the
    place in the tree, such as "headers.X" or "items[0]".
    """
    known = frozenset(known_names)
    for keys in condition_places(value, conditions):
        value = replaced(value, keys, _Truth(keys, scope, limits, known))
    return _Renderer(Evaluation(scope, limits), known, limits).tree(value, 0)


class _Truth:
    """Gives a condition's truth; what is wrong with it is told with its place."""

    __slots__ = ("_keys", "_known", "_limits", "_scope")

    def __init__(
        self,
        keys: Keys,
        scope: Mapping[str, Any],
        limits: Limits,
        known: frozenset[str],
    ) -> None:
        self._keys, self._scope = keys, scope
        self._limits, self._known = limits, known

    def __call__(self, condition: Any) -> bool:
        try:
            return truth(condition, self._scope, self._limits, known_names=self._known)
        except ExpressionError as error:
            for key in reversed(self._keys):
                error.inside(key)
            raise


class _Renderer:
    __slots__ = ("_evaluation", "_known_names", "_limits")

    def __init__(
        self, evaluation: Evaluation, known_names: frozenset[str], limits: Limits
    ) -> None:
        self._evaluation = evaluation
        self._known_names = known_names
        self._limits = limits

    def tree(self, value: Any, depth: int) -> Any:
        """The value rendered; the same object when nothing in it is a template."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict | list):
            if depth >= _MAX_TREE:
                raise RenderError(f"the tree is deeper than {_MAX_TREE}")
            if isinstance(value, dict):
                return self._mapping(value, depth + 1)
            return self._list(value, depth + 1)
        return value

    def _text(self, text: str) -> Any:
        if not is_template(text):
            return text
        template = parse(text, self._known_names, limits=self._limits)
        return template.evaluate(self._evaluation)

    def _mapping(self, mapping: dict[str, Any], depth: int) -> dict[str, Any]:
        rendered: dict[str, Any] = {}
        changed = False
        for key, item in mapping.items():
            try:
                name, new = self._key(key), self.tree(item, depth)
                if name in rendered:
                    raise RenderError("this key is there twice")
            except ExpressionError as error:
                error.inside(key)
                raise
            changed = changed or new is not item or name is not key
            rendered[name] = new
        return rendered if changed else mapping

    def _key(self, key: str) -> str:
        name = self._text(key)
        return name if name is key else text_of(self._evaluation, name)

    def _list(self, items: list[Any], depth: int) -> list[Any]:
        rendered: list[Any] = []
        changed = False
        for index, item in enumerate(items):
            try:
                new = self.tree(item, depth)
            except ExpressionError as error:
                error.inside(index)
                raise
            changed = changed or new is not item
            rendered.append(new)
        return rendered if changed else items


def truth(
    condition: str | bool,  # noqa: FBT001 - a document may hold either
    scope: Mapping[str, Any],
    limits: Limits = DEFAULT_LIMITS,
    *,
    known_names: Collection[str] = (),
) -> bool:
    """Whether a condition holds: `{{a.b}} == 200`, `{{ a.b and not c }}`, or true.

    Values are bound, never pasted in as text; what has no braces is an expression.
    False are none, false, 0 and what is empty: the string "false" is true. Raises
    TemplateError and RenderError.
    """
    if isinstance(condition, bool):
        return condition
    if not isinstance(condition, str):
        raise TemplateError("a condition is a text or a boolean")
    template = parse_condition(condition, known_names, limits=limits)
    return truth_of(template.evaluate(Evaluation(scope, limits)))


def same(left: Any, right: Any, limits: Limits = DEFAULT_LIMITS) -> bool:
    """What `left == right` is in an expression: 1 equals 1.0, and not true or "1".

    Raises RenderError when comparing takes more work than an expression may do.
    """
    return equal(Evaluation({}, limits), left, right)


def templates(
    value: Any, known_names: Collection[str] = (), conditions: Collection[str] = ()
) -> Iterator[tuple[str, Template | TemplateError]]:
    """Each template of a tree with its place, in order, or what is wrong with it.

    A text at a place of `conditions` is one, with braces or without.
    """
    known = frozenset(known_names)
    decided = frozenset(condition_places(value, conditions))
    for keys, text in _texts(value, (), 0, decided):
        read = parse_condition if keys in decided else parse
        try:
            template = read(text, known)
        except TemplateError as error:
            yield _placed(error, keys).path, error
        else:
            yield _placed(TemplateError(""), keys).path, template


def references(
    value: Any, known_names: Collection[str] = (), conditions: Collection[str] = ()
) -> frozenset[tuple[str, ...]]:
    """The static paths that the templates of a tree name, as Template.references.

    A bare step id counts as ("steps", id, ...). Raises TemplateError with its place.
    """
    found: set[tuple[str, ...]] = set()
    for _, template in templates(value, known_names, conditions):
        if isinstance(template, TemplateError):
            raise template
        found |= template.references
    return frozenset(found)


def _placed(error: TemplateError, keys: Keys) -> TemplateError:
    for key in reversed(keys):
        error.inside(key)
    return error


def _texts(
    value: Any, keys: Keys, depth: int, also: Collection[Keys] = ()
) -> Iterator[tuple[Keys, str]]:
    """Each text of a tree that is a template or stands at one of these places."""
    if isinstance(value, str):
        if keys in also or is_template(value):
            yield keys, value
    elif isinstance(value, dict | list):
        if depth >= _MAX_TREE:
            raise _placed(TemplateError(f"the tree is deeper than {_MAX_TREE}"), keys)
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            inner = (*keys, key)
            if isinstance(key, str) and is_template(key):
                yield inner, key
            yield from _texts(item, inner, depth + 1, also)
