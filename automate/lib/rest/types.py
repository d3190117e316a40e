"""JSON has types: a number is no text and "true" is no boolean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rest_framework import serializers


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


# What REST framework's fields would take as well, and turn into what they hold.
KINDS: tuple[tuple[type[Any], Callable[[Any], bool], str], ...] = (
    (serializers.BooleanField, _is_boolean, "Give true or false."),
    (serializers.IntegerField, _is_whole, "Give a whole number."),
    (serializers.FloatField, _is_number, "Give a number."),
    (serializers.CharField, _is_text, "Give a text."),
    (serializers.ChoiceField, _is_text, "Give a text."),
    (serializers.DateTimeField, _is_text, "Give a moment as a text."),
    (serializers.UUIDField, _is_text, "Give a UUID as a text."),
)
ISSUES = frozenset(issue for _kind, _fits, issue in KINDS)


def mistyped(field: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(place, issue) of each value that is of another JSON type than its field says.

    A field that describes itself (`json_schema`) checks itself, but not what it leaves
    to a child of REST framework's; what null means is each field's to say.
    """
    if value is None:
        return
    if isinstance(field, serializers.ListField):
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from mistyped(field.child, item, f"{path}[{number}]")
    elif isinstance(field, serializers.DictField):
        for name, item in (value if isinstance(value, Mapping) else {}).items():
            yield from mistyped(field.child, item, f"{path}.{name}")
    elif not hasattr(field, "json_schema"):
        issues = [issue for kind, fits, issue in KINDS
                  if isinstance(field, kind) and not fits(value)]  # fmt: skip
        for issue in issues[:1]:
            yield path, issue
