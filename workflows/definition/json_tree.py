"""A JSON tree that every database column and every parser will take."""

from __future__ import annotations

import math
import re
from typing import Any

from workflows.definition.problems import Problem, place

MAX_DEPTH = 100
MAX_INTEGER = 10**308
MAX_PROBLEMS = 50

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(document: object) -> tuple[Any, list[Problem]]:
    """A deep copy, and what in it is not JSON that can be stored.

    Refuses other types (YAML's dates), keys that are not text, NaN and infinities,
    NUL, lone surrogates, and nesting beyond MAX_DEPTH. With problems the copy is None.
    """
    problems: list[Problem] = []
    copy = _copy(document, "", 0, problems)
    return (None if problems else copy), problems[:MAX_PROBLEMS]


def _copy(value: object, path: str, depth: int, problems: list[Problem]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if depth > MAX_DEPTH:
        problems.append(Problem(path, f"is nested deeper than {MAX_DEPTH} levels"))
        return None
    if isinstance(value, str):
        return _text(value, path, problems)
    if isinstance(value, int | float):
        return _number(value, path, problems)
    if isinstance(value, dict):
        return _mapping(value, path, depth, problems)
    if isinstance(value, list | tuple):
        return [
            _copy(item, place(path, position), depth + 1, problems)
            for position, item in enumerate(value)
            if len(problems) < MAX_PROBLEMS
        ]
    kind = type(value).__name__
    problems.append(
        Problem(path, f"is a {kind}, which JSON does not have; put it in quotes")
    )
    return None


def _mapping(
    value: dict[Any, Any], path: str, depth: int, problems: list[Problem]
) -> dict[str, Any]:
    copy: dict[str, Any] = {}
    for key, item in value.items():
        if len(problems) >= MAX_PROBLEMS:
            break
        if not isinstance(key, str):
            problems.append(
                Problem(path, f"has the key {key!r}: keys must be text; quote it")
            )
        else:
            name = _text(key, path, problems)
            copy[name] = _copy(item, place(path, name), depth + 1, problems)
    return copy


def _text(value: str, path: str, problems: list[Problem]) -> str:
    if _UNSTORABLE.search(value):
        problems.append(
            Problem(
                path, "holds a character that cannot be stored (NUL or half a pair)"
            )
        )
        return ""
    return str(value)


def _number(value: float, path: str, problems: list[Problem]) -> float:
    if isinstance(value, float) and not math.isfinite(value):
        problems.append(Problem(path, "must be a finite number"))
        return 0
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        problems.append(Problem(path, "is a number with more than 308 digits"))
        return 0
    return value
