"""Evaluators made of evaluators: what each kind of node does, without its tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workflows.expressions import operators, paths, values
from workflows.expressions.errors import MissingError
from workflows.expressions.evaluation import Evaluation, Evaluator
from workflows.expressions.operators import Comparison


def nothing(_evaluation: Evaluation) -> None:
    """None, for what is not there: `null`, an open end of a slice, no `else`."""


def or_missing(operand: Evaluator) -> Evaluator:
    """The operand; `paths.MISSING` where its path leads nowhere."""

    def evaluate(evaluation: Evaluation) -> Any:
        try:
            return operand(evaluation)
        except MissingError:
            return paths.MISSING

    return evaluate


def sequence(items: Sequence[Evaluator]) -> Evaluator:
    """A list of these items."""

    def evaluate(evaluation: Evaluation) -> Any:
        evaluation.spend(len(items))
        return [item(evaluation) for item in items]

    return evaluate


def mapping(pairs: Sequence[tuple[str, Evaluator]]) -> Evaluator:
    """A mapping of these keys and values."""

    def evaluate(evaluation: Evaluation) -> Any:
        evaluation.spend(len(pairs))
        return {key: value(evaluation) for key, value in pairs}

    return evaluate


def sliced(target: Evaluator, start: Evaluator, stop: Evaluator) -> Evaluator:
    """A part of a list or a string."""
    return lambda evaluation: paths.sliced(
        evaluation, target(evaluation), start(evaluation), stop(evaluation)
    )


def arithmetic(sign: str, left: Evaluator, right: Evaluator) -> Evaluator:
    """One of + - * / // %."""
    return lambda evaluation: operators.arithmetic(
        evaluation, sign, left(evaluation), right(evaluation)
    )


def signed(sign: str, operand: Evaluator) -> Evaluator:
    """A number with + or - before it."""
    change = operators.negated if sign == "-" else operators.unchanged
    return lambda evaluation: change(evaluation, operand(evaluation))


def joined(parts: Sequence[Evaluator]) -> Evaluator:
    """Values joined as text."""
    return lambda evaluation: operators.joined(
        evaluation, [part(evaluation) for part in parts]
    )


def both(left: Evaluator, right: Evaluator) -> Evaluator:
    """The first operand when it is false, else the second."""

    def evaluate(evaluation: Evaluation) -> Any:
        value = left(evaluation)
        return right(evaluation) if values.truth_of(value) else value

    return evaluate


def either(left: Evaluator, right: Evaluator) -> Evaluator:
    """The first operand when it is true, else the second."""

    def evaluate(evaluation: Evaluation) -> Any:
        value = left(evaluation)
        return value if values.truth_of(value) else right(evaluation)

    return evaluate


def negation(operand: Evaluator) -> Evaluator:
    """Whether the operand is false."""
    return lambda evaluation: not values.truth_of(operand(evaluation))


def choice(test: Evaluator, then: Evaluator, other: Evaluator) -> Evaluator:
    """`then` where the test is true, else `other`; only one of them is evaluated."""

    def evaluate(evaluation: Evaluation) -> Any:
        return (then if values.truth_of(test(evaluation)) else other)(evaluation)

    return evaluate


def comparison(
    first: Evaluator, rest: Sequence[tuple[Comparison, Evaluator]]
) -> Evaluator:
    """A comparison, or a chain of them, up to the first that does not hold."""

    def evaluate(evaluation: Evaluation) -> bool:
        left = first(evaluation)
        for compare, operand in rest:
            right = operand(evaluation)
            if not compare(evaluation, left, right):
                return False
            left = right
        return True

    return evaluate
