"""Filters and tests as functions of the evaluation, checked when they are compiled."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from workflows.expressions.errors import RenderError, TemplateError
from workflows.expressions.evaluation import Evaluation, Evaluator
from workflows.expressions.filters import FILTERS
from workflows.expressions.is_tests import TESTS


def filter_call(
    name: str,
    operand: Evaluator,
    arguments: list[Evaluator],
    named: dict[str, Evaluator],
) -> Evaluator:
    """The operand through a filter; raises TemplateError for a wrong name or call."""
    spec = FILTERS.get(name)
    if spec is None:
        raise TemplateError(_unknown("filter", name, FILTERS))
    hint = f"; it is written {spec.signature}"
    _check_arguments(f"filter {name}", spec.function, arguments, named, hint)
    return _call(
        f"filter {name}", spec.function, operand, arguments, named, lazy=spec.lazy
    )


def test_call(
    name: str,
    operand: Evaluator,
    arguments: list[Evaluator],
    named: dict[str, Evaluator],
) -> Evaluator:
    """Whether a test holds; raises TemplateError for a wrong name or call."""
    spec = TESTS.get(name)
    if spec is None:
        raise TemplateError(_unknown("test", name, TESTS))
    _check_arguments(f"test {name}", spec.function, arguments, named)
    return _call(f"test {name}", spec.function, operand, arguments, named, lazy=False)


def _unknown(what: str, name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
    return f"unknown {what} '{name}'; {hint}"


def _check_arguments(
    what: str,
    function: Callable[..., Any],
    arguments: list[Evaluator],
    named: dict[str, Evaluator],
    hint: str = "",
) -> None:
    try:
        inspect.signature(function).bind(None, None, *arguments, **named)
    except TypeError as error:
        raise TemplateError(f"{what}: {error}{hint}") from None


def _call(
    what: str,
    function: Callable[..., Any],
    operand: Evaluator,
    arguments: list[Evaluator],
    named: dict[str, Evaluator],
    *,
    lazy: bool,
) -> Evaluator:
    def evaluate(evaluation: Evaluation) -> Any:
        value = operand(evaluation)
        given: list[Any] = arguments
        words: dict[str, Any] = named
        if not lazy:
            given = [argument(evaluation) for argument in arguments]
            words = {word: argument(evaluation) for word, argument in named.items()}
        evaluation.spend(1)
        try:
            return function(evaluation, value, *given, **words)
        except RenderError as error:
            if not lazy:
                error.message = f"{what}: {error.message}"
            raise

    return evaluate
