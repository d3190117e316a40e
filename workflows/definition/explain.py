"""JSON Schema errors in plain words, each with its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError

from automate.lib.durations import parse_duration
from workflows.definition.problems import Problem, listed, place, shorten, suggest
from workflows.definition.schema import DURATION_MARK

_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


def explain(error: ValidationError, base: str = "") -> Iterator[Problem]:
    """The problems that one schema error stands for: at least one."""
    path = place(base, *error.absolute_path)
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if error.validator == "additionalProperties":
        yield from _unknown_keys(error, path, schema)
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        # One error a missing key: its message starts with the key's repr.
        for key in missing:
            if error.message.startswith(f"{key!r} "):
                yield Problem(place(path, key), "is required")
    elif error.validator is None:
        yield Problem(path, "is not allowed here")
    elif error.validator == "type" and DURATION_MARK in schema:
        yield Problem(path, _duration(error))
    elif "x-message" in schema:
        yield Problem(path, str(schema["x-message"]))
    else:
        words = _WORDS.get(str(error.validator))
        yield Problem(path, words(error) if words else shorten(error.message, 300))


def _unknown_keys(
    error: ValidationError, path: str, schema: Mapping[str, Any]
) -> Iterator[Problem]:
    known = list(schema.get("properties", {}))
    for key in error.instance:
        if key not in known:
            hint = suggest(key, known)
            known_keys = f"known here: {listed(known)}" if known else "none is allowed"
            yield Problem(place(path, key), f"unknown key ({known_keys}){hint}")


def _type(error: ValidationError) -> str:
    wanted = error.validator_value
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    return f"must be {' or '.join(_TYPES.get(kind, kind) for kind in kinds)}"


def _duration(error: ValidationError) -> str:
    """What would be right for a text that is no duration."""
    if isinstance(error.instance, str):
        try:
            parse_duration(error.instance)
        except ValueError as refused:
            return str(refused)
    return _type(error)


def _enum(error: ValidationError) -> str:
    choices = [value for value in error.validator_value if isinstance(value, str)]
    shown = ", ".join(json.dumps(value) for value in error.validator_value)
    given = shorten(json.dumps(error.instance, ensure_ascii=False))
    hint = suggest(error.instance, choices)
    if list(error.absolute_path)[-1:] == ["type"]:
        return f"unknown step type {given}; known are {shown}{hint}"
    return f"must be one of {shown}, not {given}{hint}"


def _count(text: str) -> Callable[[ValidationError], str]:
    return lambda error: text.format(error.validator_value)


_WORDS: dict[str, Callable[[ValidationError], str]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda error: f"must be {json.dumps(error.validator_value)}",
    "minimum": _count("must be at least {}"),
    "maximum": _count("must be at most {}"),
    "exclusiveMinimum": _count("must be more than {}"),
    "exclusiveMaximum": _count("must be less than {}"),
    "minLength": lambda error: (
        "must not be empty"
        if error.validator_value == 1
        else f"must have at least {error.validator_value} characters"
    ),
    "maxLength": _count("must have at most {} characters"),
    "minItems": lambda error: (
        "must not be empty"
        if error.validator_value == 1
        else f"must have at least {error.validator_value} entries"
    ),
    "maxItems": _count("must have at most {} entries"),
    "minProperties": _count("must have at least {} keys"),
    "maxProperties": _count("must have at most {} keys"),
    "uniqueItems": lambda _error: "must not hold the same entry twice",
    "pattern": _count("must match the pattern {}"),
    "not": lambda _error: "must be written out: a template cannot be used here",
}
