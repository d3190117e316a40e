"""Input that is what the contract says, and nothing besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.request import Request

from automate.lib.choices import MOST_SHOWN, unknown_choice
from automate.lib.rest.errors import invalid
from automate.lib.rest.types import ISSUES, mistyped

_UNNAMED = frozenset({"non_field_errors"})


class StrictSerializer(serializers.Serializer[Any]):
    """Declared fields only: any other name is a 400 that names it."""

    kind = "field"
    is_closed = True

    @classmethod
    def read(cls, data: Any) -> dict[str, Any]:
        """The validated values. Raises ApiError with every problem at once."""
        if not isinstance(data, Mapping):
            raise invalid([("", "Send a JSON object.")])
        serializer = cls(data=data)
        serializer.is_valid()
        errors = [
            *serializer.unknown(data),
            *serializer.mistyped(data),
            *flatten(serializer.errors),
            *serializer.across(data),
        ]
        if errors:
            raise invalid(_first_of_each(errors))
        return dict(serializer.validated_data)

    @classmethod
    def read_query(cls, request: Request) -> dict[str, Any]:
        """As `read`, from the query; a list field takes a name several times."""
        query: QueryDict = request.query_params
        fields = cls().fields
        repeated = [
            (name, "Give it once.")
            for name in query
            if len(query.getlist(name)) > 1
            and not isinstance(fields.get(name), serializers.ListField)
        ]
        if repeated:
            raise invalid(repeated)
        return cls.read(
            {
                name: query.getlist(name)
                if isinstance(fields.get(name), serializers.ListField)
                else query[name]
                for name in query
            }
        )

    def get_fields(self) -> dict[str, Any]:
        """The fields; one of choices names them to whom chose another."""
        fields: dict[str, Any] = super().get_fields()
        for field in fields.values():
            _name_choices(field)
        return fields

    def across(self, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:  # noqa: ARG002 - a hook
        """What is wrong between fields, told beside what is wrong with each."""
        return iter(())

    def mistyped(self, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """An error for each value of another JSON type; a form holds texts alone."""
        if isinstance(data, QueryDict):
            return
        for name, field in self.fields.items():
            yield from mistyped(field, data.get(name), name)

    def unknown(self, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """An error for each name that is not declared."""
        known = ", ".join(sorted(self.fields)) or "none"
        for name in data:
            if name not in self.fields:
                yield name, f"Unknown {self.kind}. Known: {known}."


class StrictQuery(StrictSerializer):
    """Query parameters, read with `read_query`."""

    kind = "query parameter"

    def mistyped(self, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:  # noqa: ARG002 - as its base
        """Nothing: all is text."""
        return iter(())


def _name_choices(field: Any) -> None:
    child = getattr(field, "child", None)
    if child is not None:
        _name_choices(child)
    if isinstance(field, serializers.ChoiceField):
        known = unknown_choice("\0", field.choices).replace("{", "{{")
        text = known.replace("}", "}}").replace("\0", f"{{input!s:.{MOST_SHOWN}}}")
        field.error_messages["invalid_choice"] = text


def _first_of_each(errors: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Where the type is wrong, what REST framework made of the value is beside it."""
    wrong = {path for path, issue in errors if issue in ISSUES}
    return [
        (path, issue) for path, issue in errors if path not in wrong or issue in ISSUES
    ]


def flatten(errors: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(field, issue) pairs of DRF's tree of errors; a list index is `name[0]`."""
    if isinstance(errors, Mapping):
        for name, below in errors.items():
            if name in _UNNAMED:
                yield from flatten(below, path)
            elif isinstance(name, int):
                yield from flatten(below, f"{path}[{name}]")
            else:
                yield from flatten(below, f"{path}.{name}" if path else str(name))
    elif isinstance(errors, list):
        for number, item in enumerate(errors):
            if isinstance(item, Mapping):
                yield from flatten(item, f"{path}[{number}]")
            else:
                yield path, str(item)
    else:
        yield path, str(errors)
