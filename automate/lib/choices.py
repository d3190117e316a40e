"""A value that is none of a field's choices, in words that name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

MOST_SHOWN = 60  # characters of the value


def unknown_choice(value: object, choices: Iterable[object]) -> str:
    """`Unknown value "beer". Known: wine, water.`"""
    given = str(value)[:MOST_SHOWN]
    return f'Unknown value "{given}". Known: {", ".join(map(str, choices))}.'


def field_errors(row: Model, error: ValidationError) -> Iterator[tuple[str, str]]:
    """(field, issue) of what a row's own fields refuse; the choices are named."""
    for name, found in error.error_dict.items():
        for one in found:
            if one.code == "invalid_choice":
                field: Any = row._meta.get_field(name)
                known = dict(field.flatchoices)
                yield name, unknown_choice(getattr(row, name), known)
            else:
                yield from ((name, text) for text in one.messages)
