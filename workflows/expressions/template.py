"""Texts that have been read once: templates, conditions, and their cache."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from workflows.expressions import source as sources
from workflows.expressions.compiler import compile_expression
from workflows.expressions.errors import RenderError, TemplateError
from workflows.expressions.evaluation import (
    DEFAULT_LIMITS,
    Evaluation,
    Evaluator,
    Limits,
)
from workflows.expressions.operators import joined
from workflows.expressions.values import is_json, is_mapping, kind, measure

_CACHED_SOURCE = 8_000
_CACHED_TEXTS = 2_048


@dataclass(frozen=True, slots=True)
class Template:
    """A text that has been read; safe to share between threads.

    `references` are the static paths in it, such as ("steps", "notify", "body"), up
    to the first key that is computed or a number. `is_template` is false for text
    without anything to evaluate.
    """

    source: str = field(repr=False)
    references: frozenset[tuple[str, ...]]
    evaluate: Evaluator = field(repr=False, compare=False)
    is_template: bool = True


def parse(
    source: str,
    known_names: Collection[str] = (),
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Template:
    """The template in a text; `known_names` are the ids of the workflow's steps.

    Raises TemplateError.
    """
    if not sources.is_template(source):
        return Template(
            source, frozenset(), lambda _evaluation: source, is_template=False
        )
    return _read(source, known_names, limits, is_condition=False)


def parse_condition(
    source: str,
    known_names: Collection[str] = (),
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Template:
    """The expression of a condition, with or without braces; raises TemplateError."""
    return _read(source, known_names, limits, is_condition=True)


def _read(
    source: str, known_names: Collection[str], limits: Limits, *, is_condition: bool
) -> Template:
    if len(source) > limits.source:
        raise TemplateError(f"a template has at most {limits.source} characters")
    known = frozenset(known_names)
    if len(source) > _CACHED_SOURCE:
        return _compile(source, known, is_condition)
    return _cached(source, known, is_condition)


@lru_cache(_CACHED_TEXTS)
def _cached(source: str, known: frozenset[str], is_condition: bool) -> Template:  # noqa: FBT001 - positional is what the cache keys on cheaply
    """Quick for a caller who keeps one set of names, which hashes only once."""
    present = frozenset(name for name in known if name in source)
    try:
        return _cached_present(source, present, is_condition)
    except TemplateError:
        # Once more with all names, which the message may have to suggest.
        return _compile(source, known, is_condition)


@lru_cache(_CACHED_TEXTS)
def _cached_present(
    source: str,
    present: frozenset[str],
    is_condition: bool,  # noqa: FBT001
) -> Template:
    return _compile(source, present, is_condition)


def _compile(source: str, known: frozenset[str], is_condition: bool) -> Template:  # noqa: FBT001
    if is_condition:
        text = sources.condition_source(source)
        evaluate, references, _ = compile_expression(text, known)
        return Template(source, references, evaluate)
    pieces = sources.pieces(source)
    parts: list[str | Evaluator] = []
    references = frozenset()
    for piece in pieces:
        if isinstance(piece, sources.Text):
            parts.append(piece.text)
            continue
        evaluate, named, is_path = compile_expression(piece.source, known)
        references |= named
        parts.append(evaluate)
    evaluators = [part for part in parts if not isinstance(part, str)]
    blank = all(not part.strip() for part in parts if isinstance(part, str))
    if len(evaluators) == 1 and blank:
        return Template(source, references, _value(evaluators[0], is_path))
    return Template(source, references, _text(parts))


def _text(parts: list[str | Evaluator]) -> Evaluator:
    """Text around expressions makes a text."""

    def evaluate(evaluation: Evaluation) -> str:
        return joined(
            evaluation,
            [part if isinstance(part, str) else part(evaluation) for part in parts],
        )

    return evaluate


def _value(expression: Evaluator, is_path: bool) -> Evaluator:  # noqa: FBT001
    """A text that is one expression keeps the value's type."""

    def evaluate(evaluation: Evaluation) -> Any:
        value = expression(evaluation)
        if value is None or isinstance(value, bool | int | float):
            return value
        # What is there already costs nothing to pass on, but only once: a thousand
        # fields that name one large payload make a large result.
        if is_path and id(value) not in evaluation.delivered:
            evaluation.delivered.add(id(value))
            if not is_json(value):
                raise RenderError(f"{kind(value)} cannot be used in an expression")
        else:
            measure(evaluation, value)
        if isinstance(value, tuple):
            return list(value)
        return dict(value) if is_mapping(value) and type(value) is not dict else value

    return evaluate
